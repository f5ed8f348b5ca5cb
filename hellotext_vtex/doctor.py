"""Is everything in order here? Each finding says what was looked at, what was found, and what to do."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from connectors.kafka.admin import open_admin
from connectors.kafka.errors import KafkaSetupError, WrongKey
from connectors.kafka.jars import jars_folder, pinned
from connectors.kafka.java import find_java
from connectors.kafka.ports import is_free
from connectors.kafka.provisioning import catalogue
from connectors.kafka.readiness import wait_until_ready
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from connectors.vtex.problems import problems_by_store
from hellotext_vtex.keys import open_box
from hellotext_vtex.running import with_broker
from hellotext_vtex.settings import Settings, SettingsError

State = Literal["ok", "warning", "wrong"]
BROKER_S: Final = 5.0
LOW_DISK: Final = 1 << 30
CLOCK_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what it is.
        state: `wrong` is something that does not work.
        detail: what was found, and what to do where it is not `ok`.
    """

    about: str
    state: State
    detail: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at Python, Java, jars, disk, key, ports, broker, topics, stores, workers and readers.

    Changes nothing but the key, which it makes where none is.
    """
    findings = [_python(), _java(), _jars(), _disk(settings), *_ports(settings)]
    try:
        settings = with_broker(settings)
    except SettingsError as error:
        return [*findings, Finding("broker", "warning", str(error))]
    findings.append(_key(settings))
    broker = await _broker(settings)
    findings.append(broker)
    if broker.state == "ok":
        looks: tuple[Callable[[Settings], Awaitable[Finding]], ...] = (_topics, _stores, _workers)
        findings += [await _guarded(look, settings) for look in looks]
        findings += await _readers(settings)
    return findings


async def _guarded(look: Callable[[Settings], Awaitable[Finding]], settings: Settings) -> Finding:
    try:
        return await look(settings)
    except (KafkaSetupError, KafkaError, OSError) as error:
        return Finding(look.__name__.strip("_"), "wrong", str(error) or type(error).__name__)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version}, aiokafka {aiokafka.__version__}")


def _java() -> Finding:
    try:
        java = find_java()
    except KafkaSetupError as error:
        return Finding("java", "warning", f"{error} (needed for the embedded broker only)")
    return Finding("java", "ok", f"{java.version} ({java.command})")


def _jars() -> Finding:
    folder = jars_folder()
    if folder.exists():
        return Finding("kafka jars", "ok", f"Apache Kafka {pinned().version} in {folder}")
    return Finding(
        "kafka jars", "ok", f"Apache Kafka {pinned().version}: fetched when the embedded broker first starts"
    )


def _disk(settings: Settings) -> Finding:
    folder = settings.state_folder.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        return Finding("state folder", "wrong", f"{folder} cannot be written: set STATE_FOLDER to one that can")
    if free < LOW_DISK:
        return Finding("state folder", "warning", f"only {free >> 20} MB are free at {folder}: the spool needs room")
    return Finding("state folder", "ok", f"{folder}, {free >> 30} GB free")


def _ports(settings: Settings) -> list[Finding]:
    found = []
    for name, port in (("collector", settings.collector_port), ("console", settings.console_port)):
        if port and not is_free(port):
            found.append(Finding(f"{name} port", "ok", f"{port} is in use (by the {name}, if it runs)"))
    return found


def _key(settings: Settings) -> Finding:
    try:
        open_box(settings)
    except (WrongKey, SettingsError) as error:
        return Finding("secrets key", "wrong", str(error))
    where = "SECRETS_KEY" if settings.secrets_key else str(settings.state_folder / "secrets.key")
    return Finding("secrets key", "ok", where)


async def _broker(settings: Settings) -> Finding:
    connection = settings.connection()
    started = time.monotonic()
    try:
        await wait_until_ready(connection, seconds=BROKER_S)
    except KafkaSetupError as error:
        return Finding("broker", "wrong", str(error))
    took = (time.monotonic() - started) * 1000
    return Finding("broker", "ok", f"{connection.bootstrap_servers} answers in {took:.0f} ms")


async def _topics(settings: Settings) -> Finding:
    connection = settings.connection()
    async with open_admin(connection) as admin:
        shapes = await admin.shapes()
    wanted = [connection.topic(spec.name) for spec in catalogue()]
    missing = [name for name in wanted if name not in shapes]
    if missing:
        return Finding("topics", "wrong", f"missing {', '.join(missing)}: run `hellotext-vtex topics create`")
    numbers = {shapes[name].partitions for name in wanted}
    if len(numbers) > 1:
        return Finding("topics", "wrong", f"numbers of partitions differ ({sorted(numbers)}): joins need one number; "
                       "start afresh under another TOPIC_PREFIX and replay (docs/scaling.md)")  # fmt: skip
    leaderless = [name for name in wanted if not shapes[name].ready]
    if leaderless:
        return Finding("topics", "wrong", f"without a leader: {', '.join(leaderless)}: is a broker down?")
    return Finding("topics", "ok", f"{len(wanted)} with {numbers.pop()} partitions each")


async def _stores(settings: Settings) -> Finding:
    box: SecretBox = open_box(settings)
    async with StoreDirectory(settings.connection()) as directory:
        rows = directory.all()
    unreadable = []
    for row in rows:
        try:
            box.unseal(row.hash_secret)
        except WrongKey:
            unreadable.append(row.store)
    if unreadable:
        return Finding("stores", "wrong", f"{', '.join(unreadable)} were connected with another SECRETS_KEY: give that "
                       "one, or connect them again")  # fmt: skip
    if not rows:
        return Finding("stores", "warning", "none is connected: hellotext-vtex connect, or the wizard in the console")
    return Finding("stores", "ok", ", ".join(f"{row.store}{' (paused)' if row.paused else ''}" for row in rows))


async def _readers(settings: Settings) -> list[Finding]:
    """Return each reader of a store that waits; nobody reads a paused store."""
    connection = settings.connection()
    try:
        async with StoreDirectory(connection) as directory:
            followed = [row.store for row in directory.all() if not row.paused]
        problems = await problems_by_store(connection) if followed else {}
    except (KafkaSetupError, KafkaError, OSError) as error:
        return [Finding("readers", "wrong", str(error) or type(error).__name__)]
    return [
        Finding(
            f"{store} {each.reader}", "warning" if each.note else "wrong",
            f"{each.reason} (since {each.since:%Y-%m-%d %H:%M} UTC)",
        )
        for store in followed
        for each in problems.get(store, ())
    ]  # fmt: skip


async def _workers(settings: Settings) -> Finding:
    connection = settings.connection()
    admin = AIOKafkaAdminClient(**connection.options())
    await admin.start()
    try:
        async with asyncio.timeout(BROKER_S):
            described = await admin.describe_consumer_groups([connection.topic("streams")])
    finally:
        await admin.close()
    groups = [group for answer in described for group in answer.groups]
    members = sum(len(group[5]) for group in groups)
    state = groups[0][2] if groups else "unknown"
    if not members:
        return Finding("workers", "warning", f"none runs (group is {state}): hellotext-vtex worker, or up")
    return Finding("workers", "ok", f"{members} in the group, which is {state}")
