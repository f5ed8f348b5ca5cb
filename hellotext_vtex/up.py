"""Every process in one terminal: the broker (unless one is given), and all others as children (`hellotext-vtex up`)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from os import getpid
from pathlib import Path

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.ports import free_ports, is_free
from connectors.kafka.resolve import resolve_broker
from hellotext_vtex.foreground import CommandError
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.running import Running, find_running
from hellotext_vtex.settings import Settings
from hellotext_vtex.state_folder import make_private
from hellotext_vtex.supervisor import Echo, Supervisor

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What to run.

    Attributes:
        workers: worker processes.
        collectors: collector processes, all on one port.
        sandbox: whether the stand-ins run too.
        data: folder of the embedded broker's data; None throws it away.
        free: take free ports where the usual ones are taken, instead of failing.
    """

    workers: int = 1
    collectors: int = 1
    sandbox: bool = False
    data: Path | None = None
    free: bool = False


@dataclass(slots=True)
class House:
    """What runs, and where."""

    connection: KafkaConnection
    settings: Settings
    supervisor: Supervisor
    urls: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def everything(settings: Settings, wish: Wish, tell: Tell, echo: Echo) -> AsyncIterator[House]:
    """Run every process for the length of the block.

    Args:
        settings: of all of them.
        wish: how many of which.
        tell: told what is going on, one line at a time.
        echo: told what the processes log.

    Raises:
        CommandError, KafkaSetupError: something does not come up; the message says what to do.
    """
    settings = _with_ports(settings, wish)
    make_private(settings.state_folder)
    given = settings.kafka_bootstrap_servers
    tell(f"using the broker at {given} (KAFKA_BOOTSTRAP_SERVERS)" if given else "starting Apache Kafka")
    async with resolve_broker(settings.broker(wish.data), tell) as connection:
        settings = settings.model_copy(update={"kafka_bootstrap_servers": connection.bootstrap_servers})
        running = Running(
            connection.bootstrap_servers, settings.topic_prefix, str(settings.state_folder.absolute()), getpid()
        )
        running.announce()
        supervisor = Supervisor(_environment(settings), settings.state_folder / "logs", echo)
        try:
            tell("creating topics")
            await ensure_topics(settings)
            house = House(connection, settings, supervisor)
            tell("starting collector, poller, worker and console")
            await _start(house, wish)
            yield house
        finally:
            tell("stopping")
            await supervisor.stop()
            running.withdraw()


async def _start(house: House, wish: Wish) -> None:
    supervisor = house.supervisor
    starts = {
        "poller": supervisor.start("poller", "poller", "--json"),
        "console": supervisor.start("console", "console", "--json"),
    }
    if wish.sandbox:
        starts["sandbox"] = supervisor.start("sandbox", "sandbox", "--json")
    for number in range(wish.collectors):
        name = "collector" if number == 0 else f"collector-{number}"
        starts[name] = supervisor.start(name, "collector", "--json")
    for number in range(wish.workers):
        name = f"worker-{number}"
        starts[name] = supervisor.start(name, "worker", "--json", WORKER_WEB_PORT=_web(number))
    told = await asyncio.gather(*starts.values())
    house.urls = {name: facts["url"] for name, facts in zip(starts, told, strict=True) if "url" in facts}


def _web(number: int) -> str:
    return str(6066 + number) if is_free(6066 + number) else str(free_ports(1)[0])


def _with_ports(settings: Settings, wish: Wish) -> Settings:
    """Return the settings with ports that can be used."""
    names = ["collector_port", "console_port", *(["sandbox_port"] if wish.sandbox else [])]
    chosen = {}
    for name in names:
        port = getattr(settings, name)
        if port and is_free(port):
            continue
        if port and not wish.free:
            first = find_running()
            whose = "" if first is None else f" (process {first.pid} runs a house or a broker in this folder)"
            raise CommandError(f"port {port} is in use{whose}: give another in {name.upper()}, or 0 for any free one")
        chosen[name] = free_ports(1)[0]
    return settings.model_copy(update=chosen)


def _environment(settings: Settings) -> dict[str, str]:
    """Return what the children need to know that they would not read from the environment themselves."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "TOPIC_PREFIX": settings.topic_prefix,
        "STATE_FOLDER": str(settings.state_folder),
        "COLLECTOR_PORT": str(settings.collector_port),
        "COLLECTOR_URL": settings.public_collector_url,
        "CONSOLE_PORT": str(settings.console_port),
        "SANDBOX_PORT": str(settings.sandbox_port),
        "LOG_FORMAT": settings.log_format,
        "LOG_LEVEL": settings.log_level,
    }
