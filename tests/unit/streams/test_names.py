"""What the workers are called is known outside the engine, too: by whoever asks how far they are."""

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.progress import GROUP
from connectors.kafka.provisioning import CHANGELOGS
from streams.engine.names import StreamNames

CONNECTION = KafkaConnection("nowhere:1", "prefix.")
NAMES = StreamNames(CONNECTION.topic)


def test_the_group_is_the_one_that_others_ask_about():
    """Audit, doctor, console and forget look at its committed offsets; a replay takes another one by this name."""
    assert NAMES.group == CONNECTION.topic(GROUP)


def test_changelogs_are_found_by_how_their_names_begin():
    """`topics list` shows them beside the catalogue's."""
    assert NAMES.changelog("counts").startswith(CONNECTION.topic(CHANGELOGS))
