"""Doctor, where something does not work: what happened, and what to do."""

import asyncio
import json
import socket
import subprocess

import pytest
from cryptography.fernet import Fernet

from connectors.kafka.embedded import EmbeddedKafka
from tests.scenarios.front_door.commands import CommandLine

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]
KEYS = ("--vtex-account", "acme", "--vtex-app-key", "k", "--vtex-app-token", "t", "--hellotext-business", "B",
        "--hellotext-token", "t", "--yes", "--no-check")  # fmt: skip


def findings(ran):
    """Return what doctor found, by what it is about."""
    return {each["about"]: (each["state"], each["detail"]) for each in ran.json}


def test_everything_stopped(tmp_path):
    """A fresh folder is no failure; one whose broker died is."""
    run = CommandLine(tmp_path, {})
    fresh = run("doctor", "--json")
    assert (fresh.code, findings(fresh)["broker"][0]) == (0, "warning")
    assert "hellotext-vtex up" in findings(fresh)["broker"][1]

    gone = subprocess.Popen(["true"])
    gone.wait()
    told = {"bootstrap_servers": "127.0.0.1:9", "topic_prefix": "", "state_folder": ".state", "pid": gone.pid}
    (tmp_path / ".state" / "running.json").write_text(json.dumps(told))
    died = run("doctor", "--json")

    assert (died.code, findings(died)["broker"][0]) == (1, "wrong")
    assert "127.0.0.1:9" in findings(died)["broker"][1]
    assert "gone without having been stopped" in findings(died)["broker"][1]


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        ("127.0.0.1:9", "Connection refused"),
        ("justhost", "host:port,host:port"),
        ("no-such-host.invalid:9092", "the name no-such-host.invalid cannot be looked up"),
    ],
)
def test_a_broker_that_is_not_there(tmp_path, servers, told):
    """Its name, its port; nothing else is looked at, and nothing but the findings is printed."""
    ran = CommandLine(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": servers})("doctor", "--json")

    assert (ran.code, ran.err) == (1, "")
    assert told in findings(ran)["broker"][1]
    assert list(findings(ran))[-1] == "broker"


def test_a_port_that_is_open_and_says_nothing(tmp_path):
    """Another service, or other security settings: that is another matter than a broker that is down."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        servers = f"127.0.0.1:{mute.getsockname()[1]}"
        ran = CommandLine(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": servers})("doctor", "--json")

    assert ran.code == 1
    assert f"the port of {servers} is open" in findings(ran)["broker"][1]
    assert "KAFKA_SECURITY_PROTOCOL" in findings(ran)["broker"][1]


def test_a_wrong_key_and_the_way_out(empty_kafka, tmp_path):
    """No topics are no failure; a key that is none; another installation's: how to go on, and that way works."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": empty_kafka.bootstrap_servers, "TOPIC_PREFIX": empty_kafka.topic_prefix}
    run = CommandLine(tmp_path, environment)
    fresh = run("doctor", "--json")
    assert (fresh.code, findings(fresh)["topics"][0]) == (0, "warning")
    assert "the first process that starts makes them" in findings(fresh)["topics"][1]
    assert run("connect", *KEYS).code == 0

    none = run("doctor", "--json", SECRETS_KEY="short")
    assert (none.code, "44 characters" in findings(none)["secrets key"][1]) == (1, True)

    other = {"SECRETS_KEY": Fernet.generate_key().decode()}
    doctor = run("doctor", "--json", **other)
    assert (doctor.code, findings(doctor)["stores"][0]) == (1, "wrong")
    for told in (findings(doctor)["stores"][1], run("connect", *KEYS, **other).err):
        assert "stores remove" in told
        assert "recognised anew" in told
    assert run("stores", "remove", "acme", "--yes", **other).code == 0
    assert run("connect", *KEYS, **other).code == 0
    assert run("doctor", **other).code == 0


@pytest.mark.parametrize(("minutes", "state"), [(7 * 1440, "warning"), (730 * 1440, "ok")])
def test_a_broker_that_forgets_how_far_workers_were(tmp_path, minutes, state):
    """Kafka's own default is a week: workers that are away for longer would count two years of topics anew."""
    kafka = asyncio.run(EmbeddedKafka(settings={"offsets.retention.minutes": minutes}).start())
    try:
        run = CommandLine(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers})
        assert run("topics", "create").code == 0
        doctor = run("doctor", "--json")
    finally:
        asyncio.run(kafka.stop())

    assert (doctor.code, findings(doctor)["offsets"][0]) == (0, state)
    assert f"{minutes // 1440} days" in findings(doctor)["offsets"][1]
