"""What brokers and clients are told: properties, security, ports, Docker, sealed secrets."""

import asyncio
import random
import socket
import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from connectors.kafka import docker
from connectors.kafka.connection import KafkaConnection, KafkaSecurity
from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.errors import BrokerUnreachable, DataFolderUnusable, DockerUnavailable, PortTaken, WrongKey
from connectors.kafka.node import Node
from connectors.kafka.ports import free_ports, require_free
from connectors.kafka.properties import Ports, server_properties
from connectors.kafka.readiness import first_address, wait_until_ready
from connectors.kafka.resolve import BrokerWish, resolve_broker
from connectors.kafka.secrets import SecretBox
from schemas.topics import TOPICS

THREE = {number: Ports(9000 + number, 9100 + number) for number in (1, 2, 3)}


def parsed(text: str) -> dict[str, str]:
    """Settings by name."""
    return dict(line.split("=", 1) for line in text.splitlines())


class TestProperties:
    def test_one_broker_replicates_nothing(self):
        """Factors of one, a voter, no topics made by accident."""
        found = parsed(server_properties(1, {1: Ports(9092, 9093)}, Path("/data")))

        assert found["controller.quorum.voters"] == "1@127.0.0.1:9093"
        assert found["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
        assert found["transaction.state.log.replication.factor"] == found["min.insync.replicas"] == "1"
        assert found["auto.create.topics.enable"] == "false"
        assert found["group.initial.rebalance.delay.ms"] == "0"

    def test_how_far_workers_were_is_kept_for_longer_than_what_they_read(self):
        """They may be away for longer than the week after which Kafka would forget it, and count all of it again."""
        found = parsed(server_properties(1, {1: Ports(9092, 9093)}, Path("/data")))["offsets.retention.minutes"]
        compose = (Path(__file__).parents[3] / "docker-compose.yml").read_text("utf-8")

        longest = max(topic.retention_ms or 0 for topic in TOPICS)
        assert int(found) * 60_000 > longest
        assert f"KAFKA_OFFSETS_RETENTION_MINUTES: {found}\n" in compose

    def test_three_brokers_survive_one(self):
        """Three replicas, two of them needed, three voters."""
        found = parsed(server_properties(2, THREE, Path("/data")))

        assert found["node.id"] == "2"
        assert found["controller.quorum.voters"].count("@") == 3
        assert found["offsets.topic.replication.factor"] == found["default.replication.factor"] == "3"
        assert found["min.insync.replicas"] == found["transaction.state.log.min.isr"] == "2"

    def test_further_settings_stand_above_ours(self):
        """What is given wins, and what is not given stays."""
        found = parsed(server_properties(1, {1: Ports(1, 2)}, Path("/d"), {"message.max.bytes": 5, "node.id": 7}))

        assert (found["message.max.bytes"], found["node.id"]) == ("5", "7")

    def test_names_of_folders_are_escaped_as_java_reads_them(self):
        """Non-ASCII as UTF-16 escapes, backslashes doubled, spaces as they are."""
        found = parsed(server_properties(1, {1: Ports(1, 2)}, Path("/lojas são\\paulo/😀")))

        assert found["log.dirs"] == "/lojas s\\u00e3o\\\\paulo/\\ud83d\\ude00"

    def test_a_comma_in_the_data_folder_is_refused(self):
        """Kafka would take it for two folders."""
        with pytest.raises(DataFolderUnusable, match="no comma"):
            server_properties(1, THREE, Path("/a,b"))


class TestConnection:
    def test_plaintext_needs_nothing(self):
        """Only the address."""
        assert KafkaConnection("h:1").options() == {"bootstrap_servers": "h:1"}

    def test_names_are_prefixed(self):
        """Topics, groups and transactional ids alike."""
        assert KafkaConnection("h:1", "blue.").topic("stores") == "blue.stores"

    def test_sasl_over_tls_is_passed_through(self):
        """As aiokafka names it; the password shows nowhere else."""
        security = KafkaSecurity("SASL_SSL", "SCRAM-SHA-512", "shop", SecretStr("hunter2"))
        options = KafkaConnection("h:1", security=security).options()

        assert isinstance(options.pop("ssl_context"), ssl.SSLContext)
        assert options == {
            "bootstrap_servers": "h:1", "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "shop", "sasl_plain_password": "hunter2",
        }  # fmt: skip
        assert "hunter2" not in repr(security)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"protocol": "SASL_SSL"}, "needs a user name and a password"),
            ({"protocol": "SSL", "certificate": Path("c")}, "go together"),
        ],
    )
    def test_half_settings_are_refused(self, given, message):
        """At construction, not at the first connection."""
        with pytest.raises(ValueError, match=message):
            KafkaSecurity(**given)

    def test_a_certificate_file_that_is_missing_is_named(self):
        """The error names the file."""
        with pytest.raises(BrokerUnreachable, match=r"/nowhere/ca\.pem"):
            KafkaSecurity("SSL", ca_file=Path("/nowhere/ca.pem")).options()

    @pytest.mark.parametrize("text", ["", "nohost", "host:", "host:port", ":9092"])
    def test_an_address_that_is_none_is_refused(self, text):
        """With the form that is wanted."""
        with pytest.raises(BrokerUnreachable, match="host:port,host:port"):
            first_address(text)

    def test_addresses(self):
        """The first of a list; IPv6 in brackets."""
        assert first_address("a:1,b:2") == ("a", 1)
        assert first_address("[::1]:9092") == ("::1", 9092)


class TestPorts:
    def test_different_free_ports(self):
        """As many as asked for, none twice."""
        assert len(set(free_ports(6))) == 6

    def test_a_port_that_is_meant_for_something_else_is_none(self, monkeypatch):
        """Nobody may listen there yet: the controller of a broker must not take the port that clients were promised."""
        monkeypatch.setattr("connectors.kafka.ports.RANGE", range(20_001, 20_005))
        monkeypatch.setattr("connectors.kafka.ports.is_free", lambda _: True)
        kafka = EmbeddedKafka(port=20_003)
        kafka._folder = Path("nowhere")

        chosen = [kafka._make_nodes(None)[1].ports[1] for _ in range(40)]

        assert {ports.client for ports in chosen} == {20_003}
        assert 20_003 not in {ports.controller for ports in chosen}

    def test_processes_that_are_seeded_alike_choose_differently(self):
        """Each would see the other's port free, and start what takes seconds to listen there."""
        chosen = []
        for _ in range(2):
            random.seed(7)
            chosen.append(free_ports(6))

        assert chosen[0] != chosen[1]

    def test_a_taken_port_is_refused(self):
        """The message names it and says what to do."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]

            with pytest.raises(PortTaken, match=f"port {port} of 127.0.0.1 is in use .*another port, or none"):
                require_free(port)


class TestDocker:
    def test_the_container_is_told_where_its_clients_find_it(self):
        """The image's form of our settings, with the address of the machine outside."""
        told = docker.environment("10.0.0.5", 29092)

        assert told["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://10.0.0.5:29092"
        assert told["KAFKA_PROCESS_ROLES"] == "broker,controller"
        assert told["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
        assert told["KAFKA_TRANSACTION_STATE_LOG_MIN_ISR"] == "1"
        assert docker.image().startswith("apache/kafka:4.")

    async def test_no_engine_is_one_clear_error(self, monkeypatch):
        """Docker asked for, no engine behind the socket: what, why, and the ways out."""
        monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

        with pytest.raises(DockerUnavailable) as caught:
            async with resolve_broker(BrokerWish(docker=True)):
                pass

        assert "Docker does not run apache/kafka:" in str(caught.value)
        assert "leave it out, and the embedded broker is used" in str(caught.value)

    async def test_a_missing_package_is_named(self, monkeypatch):
        """The package testcontainers is no dependency of the product."""
        monkeypatch.setitem(__import__("sys").modules, "testcontainers.core.container", None)

        with pytest.raises(DockerUnavailable, match=r"install testcontainers\[kafka\]"):
            async with docker.docker_kafka():
                pass


class TestOrder:
    @pytest.mark.parametrize(
        ("wish", "kind"),
        [
            (BrokerWish("h:1", docker=True), "given"),
            (BrokerWish(docker=True), "docker"),
            (BrokerWish(), "embedded"),
        ],
    )
    def test_a_broker_that_is_given_comes_first(self, wish, kind):
        """Then Docker when asked for, then the embedded one."""
        assert wish.kind == kind

    async def test_a_given_broker_that_is_not_there(self, monkeypatch):
        """One error with the address, the reason, and what to correct."""
        monkeypatch.setattr("connectors.kafka.resolve.GIVEN_TIMEOUT_S", 0.2)
        (port,) = free_ports(1)

        with pytest.raises(BrokerUnreachable, match=f"127.0.0.1:{port}: not within 0.2 s: .*KAFKA_BOOTSTRAP_SERVERS"):
            async with resolve_broker(BrokerWish(f"127.0.0.1:{port}")):
                pass


class TestSecretBox:
    def test_what_is_sealed_opens(self):
        """Any text, and never twice the same seal."""
        box = SecretBox(SecretBox.generate_key())

        assert box.unseal(box.seal("ação 🔑")) == "ação 🔑"
        assert box.seal("x") != box.seal("x")

    def test_another_key_opens_nothing(self):
        """The message says which key is wanted, and holds no secret."""
        sealed = SecretBox(SecretBox.generate_key()).seal("hunter2")

        with pytest.raises(WrongKey, match="connected") as caught:
            SecretBox(SecretBox.generate_key()).unseal(sealed)
        assert sealed not in str(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("text", ["", "short", b"\xff" * 44, "ã" * 44])
    def test_what_is_no_key_is_refused(self, text):
        """With the form that is wanted."""
        with pytest.raises(WrongKey, match="44 characters"):
            SecretBox(text)

    @pytest.mark.parametrize("sealed", ["", "plain", "ünicode"])
    def test_what_is_not_sealed_does_not_open(self, sealed):
        """A row written by a hand gives the same clear error."""
        with pytest.raises(WrongKey):
            SecretBox(SecretBox.generate_key()).unseal(sealed)


def test_a_broker_that_died_of_a_full_disk_is_told_so(tmp_path, monkeypatch):
    """Its log cannot say it: that is on the same disk."""
    node = Node(None, 1, tmp_path, {}, "64m", owner=1)
    assert "No room" not in str(node.death())

    monkeypatch.setattr("connectors.kafka.node.shutil.disk_usage", lambda _: SimpleNamespace(free=4096))

    assert "No room is left where it keeps its data: free some" in str(node.death())


async def test_the_end_of_our_patience_hides_no_reason(monkeypatch):
    """Cut off in its last attempt, it still tells what the attempts before met with."""
    attempts = iter([ConnectionRefusedError(111, "Connection refused")])

    async def connect(*_):
        for error in attempts:
            raise error
        await asyncio.Event().wait()

    monkeypatch.setattr("connectors.kafka.readiness.asyncio.open_connection", connect)

    with pytest.raises(BrokerUnreachable, match="Connection refused"):
        await wait_until_ready(KafkaConnection("127.0.0.1:9"), seconds=0.2)
