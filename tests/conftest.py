"""Fixtures of every test that needs Kafka: the real one, embedded, one broker for the whole run.

The first test that asks starts the broker, whichever xdist worker it runs in; the others find it through a file beside
their temporary folders. It ends with the controlling pytest process, however that one ends (leash.py). With
KAFKA_BOOTSTRAP_SERVERS set, that broker is used instead.
"""

import asyncio
import fcntl
import importlib
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.errors import KafkaSetupError
from connectors.kafka.jars import jars_folder, pinned
from connectors.kafka.java import find_java
from connectors.kafka.provisioning import provision
from connectors.kafka.readiness import wait_until_ready

ROOT = Path(__file__).parents[1]
PARTITIONS = 4
GIVEN = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
HEAP = "640m"
"""Two workers' topics at a time; the default 384 MB is for one shop."""


# How fast examples are drawn tells of the machine: in a fresh environment the first texts may take seconds.
hypothesis.settings.register_profile("ours", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None)
hypothesis.settings.load_profile("ours")


def pytest_report_header() -> str:
    """Say which broker the tests will use, and how it is found."""
    if GIVEN:
        return f"kafka: {GIVEN} (KAFKA_BOOTSTRAP_SERVERS)"
    try:
        java = find_java()
    except KafkaSetupError as problem:
        return f"kafka: none ({problem})"
    folder = jars_folder()
    known = "cached in" if folder.exists() else "to be fetched into"
    return (
        f"kafka: embedded Apache Kafka {pinned().version}, Java {java.version} ({java.command}), jars {known} {folder}"
    )


def pytest_collection_finish() -> None:
    """Import what hypothesis imports when a test first needs it.

    Pytest rewrites what is imported; deep inside a test, CPython 3.11 may fail on it in a fresh environment ("AST
    constructor recursion depth mismatch").
    """
    importlib.import_module("hypothesis.strategies._internal.regex")


def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker whose broker it shares (called in the controller)."""
    node.workerinput["controller_pid"] = os.getpid()


@pytest.fixture(scope="session")
def kafka_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the bootstrap servers of the run's one broker, started where nobody has yet."""
    if GIVEN:
        asyncio.run(wait_until_ready(KafkaConnection(GIVEN), seconds=20))
        yield GIVEN
        return
    told = getattr(request.config, "workerinput", None)
    if told is None:
        kafka = asyncio.run(EmbeddedKafka(heap=HEAP).start())
        yield kafka.bootstrap_servers
        asyncio.run(kafka.stop())
        return
    shared = tmp_path_factory.getbasetemp().parent
    with (shared / "kafka.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        address = shared / "kafka.address"
        if not address.exists():
            address.write_text(_started_for(told["controller_pid"]))
    yield address.read_text()


def _started_for(owner: int) -> str:
    """Start a broker that outlives this xdist worker, and return its bootstrap servers."""
    command = [sys.executable, "-m", "tests.broker", str(owner), HEAP]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.split()[-1]


@pytest.fixture
async def empty_kafka(kafka_broker: str) -> AsyncIterator[KafkaConnection]:
    """Return a connection to the run's broker, with a topic prefix of this test's own and no topics."""
    connection = KafkaConnection(kafka_broker, topic_prefix=f"t{uuid.uuid4().hex[:12]}.")
    yield connection
    await forget_topics(connection)


@pytest.fixture
async def kafka(empty_kafka: KafkaConnection) -> KafkaConnection:
    """Return a connection under whose prefix every topic of the catalogue exists, with 4 partitions."""
    await provision(empty_kafka, partitions=PARTITIONS, replication=1)
    return empty_kafka


@pytest.fixture
def provisioned(kafka: KafkaConnection) -> KafkaConnection:
    """Return the same as `kafka`, for tests whose point is that the topics exist."""
    return kafka


async def forget_topics(connection: KafkaConnection) -> None:
    """Delete this test's topics: a broker maps two index files for each of their segments."""
    async with open_admin(connection) as admin:
        await admin.delete([name for name in await admin.shapes() if name.startswith(connection.topic_prefix)])
