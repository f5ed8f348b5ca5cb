"""A broker that is silent is waited for, and that is said."""

import pytest
from structlog.testing import capture_logs

from connectors.kafka.errors import BrokerUnreachable
from hellotext_vtex import provisioned
from hellotext_vtex.settings import Settings


async def test_a_silent_broker_is_named_while_it_is_waited_for(monkeypatch):
    """Again and again, more and more rarely; then it is an error."""
    monkeypatch.setattr(provisioned, "FIRST_WORD_S", 0.02)
    monkeypatch.setattr(provisioned, "BROKER_PATIENCE_S", 0.5)

    with capture_logs() as told, pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1"):
        await provisioned.ensure_topics(Settings(kafka_bootstrap_servers="127.0.0.1:1"))

    assert {line["event"] for line in told} == {"waiting for the broker"}
    assert 2 <= len(told) <= 5
    assert told[0]["broker"] == "127.0.0.1:1"
