"""Which broker the demo plays on is said, and a broker that is given keeps its own topics to itself."""

import re

import pytest

from connectors.kafka.errors import BrokerUnreachable
from hellotext_vtex.demo_broker import for_demo
from hellotext_vtex.settings import Settings
from hellotext_vtex.up import Wish, everything


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch, tmp_path):
    """Neither by the environment nor by a .env file."""
    for name in Settings.names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_a_broker_it_has_one_of_its_own():
    """Nothing of it is to be removed: it is thrown away whole."""
    settings, line, own_topics = for_demo(Settings())

    assert (settings.topic_prefix, own_topics) == ("", False)
    assert line == "broker: one of its own, embedded, thrown away at the end"
    assert "in Docker" in for_demo(Settings(kafka_docker=True))[1]


def test_a_broker_that_is_given_is_named_and_keeps_its_topics():
    """The demo's stand under a prefix that nobody else has, and go at the end."""
    settings, line, own_topics = for_demo(Settings(kafka_bootstrap_servers="kafka.shop:9092"))
    other, _, _ = for_demo(Settings(kafka_bootstrap_servers="kafka.shop:9092"))

    assert own_topics
    assert re.match(r"^demo-[0-9a-f]{6}\.$", settings.topic_prefix)
    assert settings.topic_prefix != other.topic_prefix
    assert "kafka.shop:9092, from KAFKA_BOOTSTRAP_SERVERS (unset it" in line
    assert f"topics {settings.topic_prefix}* are made for it and removed" in line


def test_a_prefix_that_is_given_is_used_and_kept():
    """Whoever gives one has chosen."""
    settings, line, own_topics = for_demo(Settings(kafka_bootstrap_servers="k:1", topic_prefix="mine."))

    assert (settings.topic_prefix, own_topics) == ("mine.", False)
    assert "topics mine.*, from TOPIC_PREFIX, are used and kept" in line


async def test_a_broker_that_is_given_is_not_said_to_be_started(monkeypatch):
    """`up` and the demo name it."""
    monkeypatch.setattr("connectors.kafka.resolve.GIVEN_TIMEOUT_S", 0.1)
    told = []
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1", collector_port=0, console_port=0)

    with pytest.raises(BrokerUnreachable):
        async with everything(settings, Wish(), told.append, lambda *_: None):
            pass

    assert told[0] == "using the broker at 127.0.0.1:1 (KAFKA_BOOTSTRAP_SERVERS)"
