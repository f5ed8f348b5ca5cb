"""A replay reads what is live and writes nothing there: names, groups, and what its agents send."""

from connectors.kafka.connection import KafkaConnection
from schemas import topics
from schemas.events import encode, event
from streams.engine.outbox import OUTBOX
from streams.engine.testing import MemoryShard
from streams.replay import LIVE, OWN, agents, connection_into, names
from streams.replay_life import is_temporary, temporary
from tests.stores import stores_of


def test_inputs_are_live_and_everything_else_is_its_own():
    """Topics, changelogs, transactional ids, and a consumer group that no earlier replay has used."""
    live = KafkaConnection("broker:9092", "prod.")
    first, second = connection_into(live, "again."), connection_into(live, "again.")

    assert {first.topic(topic.name) for topic in LIVE} == {f"prod.{topic.name}" for topic in LIVE}
    assert {first.topic(topic.name) for topic in OWN} == {f"again.{topic.name}" for topic in OWN}
    assert first.topic("streams-3") == "again.streams-3"
    assert first.topic("streams.kpi-cells-changelog") == "again.streams.kpi-cells-changelog"
    assert first.topic("streams").startswith("again.streams-")
    assert first.topic("streams") != second.topic("streams")


def test_only_what_a_replay_names_itself_is_temporary():
    """Under the live prefix: what somebody keeps, and what another house has, is never deleted unasked."""
    live = KafkaConnection("broker:9092", "prod.")

    assert is_temporary(live, temporary(live))
    assert is_temporary(live, "prod.replay-1795687200.more.")
    for kept in ("again.", "replay-1.", "replay-1795687200.", "prod.replay-179568720.", "xprod.replay-1795687200."):
        assert not is_temporary(live, kept)


def test_what_it_reads_is_either_live_or_made_by_itself():
    """No input is forgotten, and no topic is both."""
    line = agents(stores_of())
    inputs = {topic.name for agent in line for topic in agent.inputs}
    own = {topic.name for topic in OWN}

    assert {topic.name for topic in LIVE}.isdisjoint(own)
    assert inputs <= {topic.name for topic in LIVE} | own
    assert {table.name for agent in line for table in agent.tables} | {OUTBOX.name} == {
        name.removeprefix("x.streams.").removesuffix("-changelog") for name in names("x.") if "-changelog" in name
    }


async def test_its_agents_call_nobody_and_send_only_to_its_own_topics():
    """Whatever is fed."""
    shard = MemoryShard(agents(stores_of()))
    utm = {"source": "hellotext", "medium": "sms", "campaign": "C1"}
    data = {"store": "acme", "kind": "event", "action": "page.viewed", "session": "S", "device": {}, "utm": utm}
    for number, value in enumerate((data, data | {"consent": "denied"}, {"kind": "nonsense"})):
        envelope = event(
            type="pixel.event", source="test", store="acme", data=value, time=1, received=2, id=f"e{number}"
        )
        shard.put(topics.PIXEL_EVENTS, topics.PIXEL_EVENTS.key("acme", "S"), encode(envelope))
    shard.put(topics.MESSAGE_REQUESTS, b"acme/m1", b'{"to": "+5511987654321", "campaign": "C1"}')
    await shard.settle()

    assert {name for name, sent in shard.sent.items() if sent} <= {topic.name for topic in OWN}
    assert shard.outputs(topics.KPI_CAMPAIGNS)
    assert shard.effects() == []
