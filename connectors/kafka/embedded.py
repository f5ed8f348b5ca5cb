"""Apache Kafka itself, in KRaft mode, from its jars: one broker, or a cluster of them on this machine.

    async with EmbeddedKafka(data=Path("kafka-data"), port=9092, heap="384m", progress=print) as kafka:
        print(kafka.bootstrap_servers)          # "127.0.0.1:9092"; ready: metadata requests are answered
        problem = await kafka.wait_dead()       # returns only when the broker has ended by itself
        raise problem                           # BrokerDied, with its last log lines

Without `data` the data stands in a temporary folder that goes with the broker; without `port` a free one is found.
Leaving the block shuts the broker down in order. When the owner process dies in any way (kill -9 too), the broker is
stopped by its leash (leash.py). `EmbeddedCluster` adds `start_node`, `stop_node`, `kill_node`, `freeze_node` and
`thaw_node`, for tests that need a broker to fail.

Problems (errors.py): JarsUnavailable, JavaMissing, PortTaken, DataFolderUnusable, BrokerDied, BrokerUnreachable.
"""

import asyncio
import base64
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Coroutine, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import structlog

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerDied, BrokerUnreachable, DataFolderUnusable, PortTaken
from connectors.kafka.jars import Progress, pinned
from connectors.kafka.node import Node
from connectors.kafka.ports import free_ports, require_free
from connectors.kafka.properties import HOST, Ports
from connectors.kafka.readiness import wait_until_ready
from connectors.kafka.runtime import Runtime, prepare

log = structlog.get_logger(__name__)

DEFAULT_HEAP: Final = "384m"
READY_TIMEOUT_S: Final = 90.0
"""A start takes 2 s; recovery of a big data folder after a power cut, on a busy machine, takes its time."""
PORT_ATTEMPTS: Final = 5
WATCH_S: Final = 0.1
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0


class EmbeddedKafka:
    """One broker; an async context manager.

    Args:
        data: folder that keeps the data; None for a temporary one.
        port: for clients; None for a free one.
        heap: of each JVM, such as `384m`.
        cache: folder of the jars; the user's cache by default.
        java_home: a Java installation to prefer.
        progress: told how far a first download is; called from another thread.
        owner: pid of the process with which the broker ends; this one by default.
        settings: of the broker, above ours, such as `{"listeners": ...}`.
        lasting: whether it is there to stay: slower to start, faster after a minute (runtime.py). Where data is kept,
            by default.
    """

    size = 1

    def __init__(
        self, data: Path | None = None, port: int | None = None, heap: str = DEFAULT_HEAP, *, cache: Path | None = None,
        java_home: Path | None = None, progress: Progress | None = None, owner: int | None = None,
        settings: Mapping[str, object] | None = None, lasting: bool | None = None,
    ) -> None:  # fmt: skip
        self._data = data
        self._port = port
        self._heap = heap
        self._cache, self._java_home, self._progress = cache, java_home, progress
        self._owner = owner or os.getpid()
        self._settings = settings or {}
        self._lasting = data is not None if lasting is None else lasting
        self._folder: Path | None = None
        self._lock: BinaryIO | None = None
        self.nodes: dict[int, Node] = {}

    @property
    def version(self) -> str:
        """Kafka's version."""
        return pinned().version

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect: `127.0.0.1:PORT`, comma-separated for a cluster."""
        return ",".join(f"{HOST}:{node.ports[number].client}" for number, node in self.nodes.items())

    def connection(self, topic_prefix: str = "") -> KafkaConnection:
        """Return a connection to it."""
        return KafkaConnection(self.bootstrap_servers, topic_prefix)

    async def start(self) -> Self:
        """Start it and return when it answers; the jars are fetched first where they are missing."""
        if self._port is not None:
            require_free(self._port)
        runtime = await asyncio.to_thread(prepare, self._cache, self._java_home, self._progress)
        try:
            self._open_folder()
            await self._start_somewhere(runtime)
        except BaseException:
            await self.stop(in_order=False)
            raise
        log.info("kafka listens", bootstrap_servers=self.bootstrap_servers, version=self.version, data=str(self._data))
        return self

    async def stop(self, *, in_order: bool = True) -> None:
        """Shut it down: controlled, or (`in_order=False`) killed. Temporary data is removed."""
        # Data that is thrown away needs no order; but a first run writes its class archive only at an orderly end.
        in_order = in_order and (self._data is not None or any(node.recording for node in self.nodes.values()))
        ends = [asyncio.to_thread(node.stop if in_order else node.close) for node in self.nodes.values()]
        await asyncio.gather(*ends)
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._data is None and self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def wait_dead(self) -> BrokerDied:
        """Return when a node has ended that was not told to, with the error to show."""
        while all(node.alive for node in self.nodes.values()):  # noqa: ASYNC110  a process sets no event
            await asyncio.sleep(WATCH_S)
        return self._first_death() or BrokerDied("the broker was stopped")

    async def mind(self) -> None:
        """Start it again whenever it ends by itself, on its own ports and data, until cancelled."""
        pause = FIRST_PAUSE_S
        while True:
            death = await self.wait_dead()
            log.error("kafka died: starting it again", reason=str(death), pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)
            try:
                for node in self.nodes.values():
                    if not node.alive:
                        node.start()
                await self.ready()
            except BrokerDied:
                continue  # the next round tells it
            except (BrokerUnreachable, OSError) as error:
                log.warning("kafka could not be started again", reason=str(error))
            else:
                log.warning("kafka listens again", bootstrap_servers=self.bootstrap_servers)
                pause = FIRST_PAUSE_S

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _open_folder(self) -> None:
        """Take the data folder: one embedded broker at a time."""
        if self._data is None:
            self._folder = Path(tempfile.mkdtemp(prefix="hellotext-vtex-kafka-"))
            return
        self._folder = self._data.absolute()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds what people have told
            self._lock = (self._folder / ".lock").open("wb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderUnusable(_in_use(self._folder)) from error
        except OSError as error:
            raise DataFolderUnusable(
                f"the data folder {self._folder} cannot be used: {error}. Choose another."
            ) from error

    async def _start_somewhere(self, runtime: Runtime) -> None:
        """Start on ports that were free a moment ago; on others when somebody else was faster."""
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.nodes = self._make_nodes(runtime)
            cluster_id = self._cluster_id()
            await _to_its_end(asyncio.to_thread(node.prepare, cluster_id) for node in self.nodes.values())
            try:
                for node in self.nodes.values():
                    node.start()
                await self.ready()
            except BrokerDied as death:
                # The client port's message names it; only the rest is ours to choose again.
                said = str(death)
                if "acquire lock" in said:
                    raise DataFolderUnusable(_in_use(self._folder)) from death
                if "already in use" not in said or attempt == PORT_ATTEMPTS:
                    raise
                if self._port is not None and f":{self._port}" in said:
                    raise PortTaken(f"port {self._port} of {HOST} was taken while the broker started") from death
                for node in self.nodes.values():
                    node.close()
            else:
                return

    def _make_nodes(self, runtime: Runtime) -> dict[int, Node]:
        if self._folder is None:
            raise BrokerDied("the broker has no folder: it was not started")
        numbers = range(1, self.size + 1)
        chosen = free_ports(2 * self.size, besides=[self._port])
        ports = {number: Ports(chosen.pop(), chosen.pop()) for number in numbers}
        if self._port is not None:
            ports[1] = Ports(self._port, ports[1].controller)
        return {
            number: Node(
                runtime, number, self._folder / f"node-{number}", ports, self._heap, self._owner,
                remove=self._folder if self._data is None else None, settings=self._settings, lasting=self._lasting,
            )
            for number in numbers
        }  # fmt: skip

    def _cluster_id(self) -> str:
        """Return the cluster's id; it stays with the data, also when formatting was cut off."""
        if self._folder is None:
            return ""
        file = self._folder / "cluster.id"
        if not file.exists():
            new = file.with_suffix(".new")
            new.write_text(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
            new.replace(file)
        return file.read_text().strip()

    async def ready(self, seconds: float = READY_TIMEOUT_S) -> None:
        """Return when every node that should run answers.

        Raises:
            BrokerDied: one has ended.
            BrokerUnreachable: not within the seconds given.
        """

        def alive() -> None:
            death = self._first_death()
            if death is not None:
                raise death

        await wait_until_ready(self.connection(), brokers=self.size, seconds=seconds, alive=alive)

    def _first_death(self) -> BrokerDied | None:
        return next((node.death() for node in self.nodes.values() if not node.alive), None)


async def _to_its_end(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for threads, also when cancelled meanwhile: one that is left would write into a folder that is removed."""
    working = asyncio.gather(*works)
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def _in_use(folder: Path | None) -> str:
    return f"the data folder {folder} is in use by another embedded broker: stop that one, or choose another folder"


class EmbeddedCluster(EmbeddedKafka):
    """Several brokers, each a controller too, to be killed, frozen and brought back; numbered from 1.

    Topics get as many replicas as there are nodes and `min.insync.replicas` of a majority.
    """

    def __init__(
        self, size: int = 3, data: Path | None = None, heap: str = DEFAULT_HEAP, *, cache: Path | None = None,
        java_home: Path | None = None, progress: Progress | None = None, owner: int | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            data, None, heap, cache=cache, java_home=java_home, progress=progress, owner=owner, settings=settings
        )  # fmt: skip
        self.size = size

    def kill_node(self, number: int) -> None:
        """Kill a node at once (SIGKILL) and reap it."""
        self.nodes[number].kill()

    def freeze_node(self, number: int) -> None:
        """Stop a node from running (SIGSTOP): its connections stay open and silent."""
        self.nodes[number].freeze()

    def thaw_node(self, number: int) -> None:
        """Let a frozen node go on."""
        self.nodes[number].thaw()

    async def stop_node(self, number: int) -> None:
        """Shut a node down in order: its leaderships move first."""
        await asyncio.to_thread(self.nodes[number].stop)

    async def start_node(self, number: int, *, ready: bool = True) -> None:
        """Start a node that is down, on its own ports and data; return when all nodes are there (`ready`)."""
        self.nodes[number].start()
        if ready:
            await self.ready()
