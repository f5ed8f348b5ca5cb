"""Doctor's look at the broker: does its name resolve, does its port answer, does it speak Kafka with us?"""

import asyncio
import socket
import time
from typing import Any, Final

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError
from connectors.kafka.readiness import first_address, wait_until_ready
from hellotext_vtex.finding import Finding
from hellotext_vtex.running import FILE, last_running
from hellotext_vtex.settings import SettingsError

ANSWER_S: Final = 5.0
LOOK_UP_S: Final = 3.0
CONNECT_S: Final = 2.0
SETTINGS: Final = "KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_* and KAFKA_SSL_*"


def missing(error: SettingsError) -> Finding:
    """Return that there is no broker: nothing runs here, or what ran here is gone."""
    before = last_running()
    if before is None:
        return Finding("broker", "warning", str(error))
    return Finding(
        "broker", "wrong",
        f"the broker that was started here (at {before.bootstrap_servers}, by process {before.pid}) is gone without "
        f"having been stopped: start it again with `hellotext-vtex up` or `broker`, or name yours in "
        f"KAFKA_BOOTSTRAP_SERVERS; {FILE} remembers it",
    )  # fmt: skip


async def look_at_broker(connection: KafkaConnection) -> Finding:
    """Return whether the broker answers; if not, how far one comes."""
    began = time.monotonic()
    try:
        host, port = first_address(connection.bootstrap_servers)
        problem = await _unknown_name(host, port)
        if problem is None:
            await wait_until_ready(connection, seconds=ANSWER_S)
    except KafkaSetupError as error:
        opened = await _opens(connection.bootstrap_servers)
        problem = _mute(connection) if opened else str(error)
    if problem is not None:
        return Finding("broker", "wrong", problem)
    took = (time.monotonic() - began) * 1000
    return Finding("broker", "ok", f"{connection.bootstrap_servers} answers in {took:.0f} ms")


def _mute(connection: KafkaConnection) -> str:
    return (
        f"the port of {connection.bootstrap_servers} is open, but what listens there gave no answer as Kafka within "
        f"{ANSWER_S:g} s: is it overloaded or just starting, another service, or does it want other security settings "
        f"({SETTINGS})?"
    )


async def _unknown_name(host: str, port: int) -> str | None:
    """Return that a name cannot be looked up; None when it can."""
    looking = asyncio.get_running_loop().run_in_executor(None, socket.getaddrinfo, host, port)
    looking.add_done_callback(_heard)
    try:
        await asyncio.wait_for(asyncio.shield(looking), LOOK_UP_S)
    except TimeoutError:
        reason = f"the name service gave no answer in {LOOK_UP_S:g} s"
    except OSError as error:
        reason = str(error.strerror or error)
    else:
        return None
    return f"the name {host} cannot be looked up ({reason}): correct KAFKA_BOOTSTRAP_SERVERS, or look at your DNS"


def _heard(looking: "asyncio.Future[Any]") -> None:
    if not looking.cancelled():
        looking.exception()  # an answer that comes too late concerns nobody


async def _opens(servers: str) -> bool:
    """Say whether anybody listens at the first address."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(*first_address(servers))
            writer.close()
    except (OSError, KafkaSetupError):
        return False
    return True
