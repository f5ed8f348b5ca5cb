"""Waiting until brokers answer: a metadata request through aiokafka, not merely an open port."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.diagnosis import why_refused
from connectors.kafka.errors import BrokerUnreachable

POLL_S: Final = 0.02
ASK_TIMEOUT_MS: Final = 5_000


def first_address(bootstrap_servers: str) -> tuple[str, int]:
    """Return host and port of the first server of a list.

    Raises:
        BrokerUnreachable: it is not `host:port`.
    """
    host, _, port = bootstrap_servers.split(",", maxsplit=1)[0].strip().rpartition(":")
    if not host or not port.isdigit():
        raise BrokerUnreachable(
            f"{bootstrap_servers!r} is no list of brokers: write KAFKA_BOOTSTRAP_SERVERS as host:port,host:port"
        )
    return host.strip("[]"), int(port)


def unreachable(connection: KafkaConnection, reason: object) -> BrokerUnreachable:
    """Return the error that says which broker did not answer, why, and what to do."""
    return BrokerUnreachable(
        f"no broker answered at {connection.bootstrap_servers}: {reason}. "
        "Start it, or correct KAFKA_BOOTSTRAP_SERVERS and the security settings."
    )


async def refused_by(connection: KafkaConnection, error: Exception) -> BrokerUnreachable:
    """Return the same, having asked the first broker why."""
    refusal = await why_refused(connection, *first_address(connection.bootstrap_servers))
    return unreachable(connection, refusal.reason if refusal else error)


async def count_brokers(connection: KafkaConnection) -> int:
    """Ask for the cluster's metadata and return how many brokers it names.

    Raises:
        KafkaError: nobody answered.
    """
    admin = AIOKafkaAdminClient(request_timeout_ms=ASK_TIMEOUT_MS, **connection.options())
    try:
        await admin.start()
        return len((await admin.describe_cluster())["brokers"])
    finally:
        await admin.close()


async def wait_until_ready(
    connection: KafkaConnection, *, brokers: int = 1, seconds: float, alive: Callable[[], None] = lambda: None
) -> None:
    """Return when every broker answers.

    Args:
        connection: to all of them.
        brokers: how many the metadata must name.
        seconds: to wait at most.
        alive: called again and again; raises when waiting is in vain.

    Raises:
        BrokerUnreachable: they did not answer in time, or refuse us for good.
    """
    address = first_address(connection.bootstrap_servers)
    until = time.monotonic() + seconds
    reason = "it is silent"
    while time.monotonic() < until:
        alive()
        try:
            async with asyncio.timeout(until - time.monotonic()):
                # The bare connection costs nothing while the port is closed; aiokafka logs each failure as an error.
                _, writer = await asyncio.open_connection(*address)
                writer.close()
                found = await count_brokers(connection)
        except OSError as error:
            reason = str(error) or reason  # a timeout says nothing: it may be ours, in the middle of the last attempt
        except KafkaError as error:
            refusal = await why_refused(connection, *address)
            reason = refusal.reason if refusal else str(error)
            if refusal and refusal.for_good:
                raise unreachable(connection, reason) from error
        else:
            if found >= brokers:
                return
            reason = f"{found} of {brokers} brokers have come"
        await asyncio.sleep(POLL_S)
    raise unreachable(connection, f"not within {seconds:g} s: {reason}")
