"""Three brokers, to be killed, stalled and brought back: Apache Kafka in KRaft mode from its jars."""

import base64
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

LISTENS_S = 60.0
CONFIG = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}
controller.listener.names=CONTROLLER
default.replication.factor={size}
min.insync.replicas={quorum}
offsets.topic.replication.factor={size}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={size}
transaction.state.log.min.isr={quorum}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={size}
share.coordinator.state.topic.min.isr={quorum}
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=6000
log.dirs={data}
"""


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cluster:
    """Brokers as processes.

    Args:
        jars: folder of Kafka's jars.
        folder: for their data.
        size: how many.
    """

    def __init__(self, jars: Path, folder: Path, size: int = 3) -> None:
        self._jars = f"{jars}/*"
        self._folder = folder
        self.nodes = range(1, size + 1)
        ports = free_ports(2 * size)
        self._ports = dict(zip(self.nodes, ports[:size], strict=True))
        controls = dict(zip(self.nodes, ports[size:], strict=True))
        voters = ",".join(f"{node}@127.0.0.1:{control}" for node, control in controls.items())
        for node in self.nodes:
            (folder / str(node)).mkdir(parents=True)
            self._file(node).write_text(CONFIG.format(
                node=node, voters=voters, port=self._ports[node], control=controls[node], size=size,
                quorum=size // 2 + 1, data=folder / str(node) / "data",
            ))  # fmt: skip
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._format()

    def _file(self, node: int) -> Path:
        return self._folder / str(node) / "server.properties"

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for node in self.nodes:
            command = ["java", "-cp", self._jars, "kafka.tools.StorageTool", "format", "-t", cluster, "-c"]
            subprocess.run([*command, str(self._file(node))], check=True, stdout=subprocess.DEVNULL)

    @property
    def bootstrap(self) -> str:
        """All of them."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def start(self, node: int) -> None:
        """Start a broker."""
        with (self._folder / str(node) / "log").open("ab") as log:
            command = ["java", "-Xmx320m", "-XX:TieredStopAtLevel=1", "-cp", self._jars, "kafka.Kafka"]
            self._running[node] = subprocess.Popen([*command, str(self._file(node))], stdout=log, stderr=log)

    def start_all(self) -> None:
        """Start every broker, and return when all listen."""
        for node in self.nodes:
            self.start(node)
        for port in self._ports.values():
            until = time.monotonic() + LISTENS_S
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                    break
                except OSError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.1)  # polling with a deadline: a port has no event

    def signal(self, node: int, number: int) -> None:
        """Send a broker a signal; a killed one is reaped."""
        self._running[node].send_signal(number)
        if number == signal.SIGKILL:
            self._running[node].wait()

    def stop(self) -> None:
        """Kill them all."""
        for process in self._running.values():
            process.kill()
            process.wait()
