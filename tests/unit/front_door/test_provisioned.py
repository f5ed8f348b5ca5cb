"""A broker that is silent is waited for, and that is said."""

import time

import pytest
from structlog.testing import capture_logs

from connectors.kafka.errors import BrokerUnreachable
from hellotext_vtex import provisioned
from hellotext_vtex.settings import Settings
from tests.waiting import until


async def test_a_silent_broker_is_named_while_it_is_waited_for(monkeypatch):
    """Again and again, more and more rarely; then it is an error."""
    monkeypatch.setattr(provisioned, "FIRST_WORD_S", 0.02)
    give_up, began = provisioned.wait_until_ready, time.monotonic()

    async def wait(connection, *, seconds):
        await until("it was said four times", lambda: len(told) >= 4)
        await give_up(connection, seconds=0.02)

    monkeypatch.setattr(provisioned, "wait_until_ready", wait)

    with capture_logs() as told, pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1"):
        await provisioned.ensure_topics(Settings(kafka_bootstrap_servers="127.0.0.1:1"))

    assert {line["event"] for line in told} == {"waiting for the broker"}
    assert time.monotonic() - began >= 0.02 * (1 + 2 + 4 + 8)
    assert told[0]["broker"] == "127.0.0.1:1"
