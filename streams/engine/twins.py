"""Two workers of one name: Kafka refuses the older one with an error that aiokafka does not know ("UnknownError")."""

from aiokafka import errors

from streams.engine.errors import Fatal
from streams.engine.transaction import EXIT_CRASHED, EXIT_FENCED
from streams.engine.waiting import REMEDY


class FencedInstanceId(errors.BrokerResponseError):
    """Another member has joined the group under this one's name."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another member of the group has joined with the same group.instance.id."


def know_fenced_instances() -> None:
    """Let aiokafka call that error by its name."""
    errors.kafka_errors[FencedInstanceId.errno] = FencedInstanceId


def reason_to_leave(crash: BaseException) -> Fatal:
    """Return why the worker exits, from what Faust has crashed with."""
    if isinstance(crash, Fatal):
        return crash
    if FencedInstanceId.__name__ in repr(crash):  # aiokafka hands it on as text, inside errors of its own
        return Fatal(
            EXIT_FENCED,
            f"this worker's place was taken by a younger one of its name: {REMEDY}. The worker exits and is restarted; "
            "nothing is lost or doubled.",
        )
    return Fatal(EXIT_CRASHED, f"the worker crashed: {crash!r}")
