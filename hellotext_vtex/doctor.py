"""Is everything in order here? Each finding says what was looked at, what was found, and what to do."""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

import aiokafka
from aiokafka.errors import KafkaError

from connectors.console.workers import Workers
from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError, TopicMissing, WrongKey
from connectors.kafka.jars import jars_folder, pinned
from connectors.kafka.java import find_java
from connectors.kafka.ports import is_free
from connectors.kafka.progress import GROUP, open_progress
from connectors.kafka.provisioning import catalogue
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from connectors.vtex.problems import problems_by_store
from hellotext_vtex.doctor_broker import look_at_broker, missing
from hellotext_vtex.finding import Finding
from hellotext_vtex.keys import open_box
from hellotext_vtex.running import with_broker
from hellotext_vtex.settings import Settings, SettingsError, misspelt
from hellotext_vtex.state_folder import is_open
from schemas.clock import DAY_MS
from schemas.topics import TOPICS

BROKER_S: Final = 5.0
MARKERS: Final = 100
"""The end of a transaction takes an offset that nobody commits until something else comes: so few may be none."""
NO_TOPIC: Final = "none exists yet"
MISSING: Final = "missing"
LOW_DISK: Final = 1 << 30
OFFSETS_SETTING: Final = "offsets.retention.minutes"
DAY_MINUTES: Final = 24 * 60


async def examine(settings: Settings) -> list[Finding]:
    """Look at Python, Java, jars, disk, key, ports, broker, topics, stores, workers and readers.

    Changes nothing but the key, which it makes where none is.
    """
    findings = [_python(), _java(settings), _jars(), *_names(), _disk(settings), *_ports(settings)]
    try:
        settings = with_broker(settings)
    except SettingsError as error:
        return [*findings, _key(settings), missing(error)]
    findings.append(_key(settings))
    broker = await look_at_broker(settings.connection())
    findings.append(broker)
    if broker.state == "ok":
        findings += await _house(settings)
    return findings


async def _house(settings: Settings) -> list[Finding]:
    """Look at what stands in the topics; where some are missing, nothing else can be told."""
    topics = await _guarded(_topics, settings)
    if topics.detail.startswith((NO_TOPIC, MISSING)):
        return [topics]
    looks: tuple[Callable[[Settings], Awaitable[Finding]], ...] = (_offsets, _stores, _workers)
    return [topics, *[await _guarded(look, settings) for look in looks], *await _readers(settings)]


async def _guarded(look: Callable[[Settings], Awaitable[Finding]], settings: Settings) -> Finding:
    try:
        return await look(settings)
    except (KafkaSetupError, KafkaError, OSError) as error:
        return Finding(look.__name__.strip("_"), "wrong", str(error) or type(error).__name__)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version}, aiokafka {aiokafka.__version__}")


def _java(settings: Settings) -> Finding:
    try:
        java = find_java(settings.java_home)
    except KafkaSetupError as error:
        return Finding("java", "warning", f"{error} (needed for the embedded broker only)")
    return Finding("java", "ok", f"{java.version} ({java.command})")


def _jars() -> Finding:
    folder = jars_folder()
    if all((folder / jar.file).exists() for jar in pinned().jars):
        return Finding("kafka jars", "ok", f"Apache Kafka {pinned().version} in {folder}")
    return Finding(
        "kafka jars", "ok", f"Apache Kafka {pinned().version}: fetched when the embedded broker first starts"
    )


def _names() -> list[Finding]:
    return [
        Finding("settings", "warning", f"there is no {name}, and it does nothing: {meant} is meant?")
        for name, meant in misspelt().items()
    ]


def _disk(settings: Settings) -> Finding:
    folder = settings.state_folder.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        return Finding("state folder", "wrong", f"{folder} cannot be written: set STATE_FOLDER to one that can")
    if free < LOW_DISK:
        return Finding("state folder", "warning", f"only {free >> 20} MB are free at {folder}: the spool needs room")
    if folder.exists() and is_open(folder):
        return Finding(
            "state folder",
            "warning",
            f"{folder} can be read by everybody: `chmod 700` it, or give STATE_FOLDER one of its own",
        )
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


async def _offsets(settings: Settings) -> Finding:
    """Look for how long brokers remember how far workers were: as long as the inputs are kept, or they count twice."""
    async with open_admin(settings.connection()) as admin:
        told = await admin.of_brokers(OFFSETS_SETTING)
    kept, needed = min(map(int, told), default=None), max(topic.retention_ms or 0 for topic in TOPICS) // DAY_MS
    if kept is None:
        return Finding("offsets", "ok", f"the broker does not tell its {OFFSETS_SETTING}")
    days = kept // DAY_MINUTES
    if days < needed:
        return Finding(
            "offsets", "warning",
            f"the broker forgets how far workers were when they are away for {days} days, and they would count anew: "
            f"set its {OFFSETS_SETTING} to {needed * DAY_MINUTES} or more ({needed} days, as long as topics are kept)",
        )  # fmt: skip
    return Finding("offsets", "ok", f"kept for {days} days while no worker is there")


async def _topics(settings: Settings) -> Finding:
    connection = settings.connection()
    async with open_admin(connection) as admin:
        shapes = await admin.shapes()
    wanted = [connection.topic(spec.name) for spec in catalogue()]
    missing = [name for name in wanted if name not in shapes]
    if len(missing) == len(wanted):
        return Finding("topics", "warning", f"{NO_TOPIC}: the first process that starts makes them, with "
                       f"{settings.partitions} partitions (PARTITIONS) and {settings.replication} replicas, or "
                       "`topics create` does; if there should be some, correct TOPIC_PREFIX")  # fmt: skip
    if missing:
        return Finding("topics", "wrong", f"{MISSING} {', '.join(missing)}: run `hellotext-vtex topics create`")
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
        return Finding("stores", "wrong", f"{', '.join(unreadable)}: connected with another SECRETS_KEY; give that one "
                       "(SECRETS_KEY, or secrets.key in its STATE_FOLDER). If it is lost: `stores remove` and then "
                       "`connect`; people are then recognised anew")  # fmt: skip
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
    async with asyncio.timeout(BROKER_S), open_admin(connection) as admin:
        members = await admin.members(connection.topic(GROUP))
    waiting = await _waiting(connection)
    told = f"; {waiting:,} records wait" if waiting > MARKERS else ""
    if not members:
        return Finding("workers", "warning", f"none runs{told}: hellotext-vtex worker, or up")
    return Finding("workers", "ok", f"{members} at work{told}")


async def _waiting(connection: KafkaConnection) -> int:
    """Return how many records wait for the workers; 0 where there are no topics, which is told elsewhere."""
    try:
        async with open_progress(connection, [topic.name for topic in TOPICS]) as progress:
            workers = Workers()
            workers.observe(datetime.now(UTC), 1, await progress.committed(), await progress.ends())
    except TopicMissing:
        return 0
    return sum(backlog.records for backlog in workers.backlogs.values())
