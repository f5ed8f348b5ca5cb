"""Letters that only refer to their original, letters about rows that a newer one has replaced, and letters put away."""

from base64 import b64encode

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.dead_letters import list_letters, redrive, remove, show
from schemas import topics
from streams.calls import handlers
from streams.forward import ForwardAgent
from streams.stores import Stores
from tests.crash.engine.running import running
from tests.destinations import StandInHellotext
from tests.scenarios.audit.test_dead_letters import SHARD, a_letter, bury, records
from tests.stores import GivenDirectory, a_store
from tests.waiting import until

pytestmark = pytest.mark.broker


async def put(kafka, topic, *values, key=b"acme/s1"):
    """Put records into the store's partition, in a transaction: control records take offsets, too."""
    async with AIOKafkaProducer(transactional_id=kafka.topic("put"), **kafka.options()) as producer:
        for value in values:
            async with producer.transaction():
                await producer.send(kafka.topic(topic), key=key, value=value, partition=SHARD)


def referring(offset, **changes):
    """Return a letter as the forward agent writes it."""
    return a_letter(offset, step="forward", topic="tracking.events", value=None, size=None, referred=True, **changes)


async def test_an_original_that_is_referred_to_is_shown_and_sent_again(kafka):
    """From where it stands; what is none, or is kept no longer, stays and says so."""
    await put(kafka, "tracking.events", b"one", b"two", b"three")
    offsets = [record.offset for record in await records(kafka, "tracking.events")]
    assert offsets == [0, 2, 4]
    await bury(kafka, referring(0), referring(2), referring(3), referring(59))

    shown = await show(kafka, f"forward/pixel.events/{SHARD}/2")
    assert (shown.value, shown.key) == (b64encode(b"two").decode(), b64encode(b"acme/s1").decode())
    done = await redrive(kafka, await list_letters(kafka))

    assert [each.outcome for each in done] == ["redriven", "redriven", "impossible", "impossible"]
    assert "keeps the original no longer" in done[2].reason
    values = [record.value for record in await records(kafka, "tracking.events")]
    assert values == [b"one", b"two", b"three", b"one", b"two"]
    assert [letter.offset for letter in await list_letters(kafka)] == [3, 59]


async def test_what_its_topic_has_deleted_is_shown_without_its_bytes(kafka):
    """And why it cannot be sent again."""
    await bury(kafka, referring(5))

    shown = await show(kafka, f"forward/pixel.events/{SHARD}/5")

    assert shown.value is None
    assert "keeps the original no longer" in shown.obstacle


async def test_an_older_row_is_never_put_behind_a_newer_one(kafka):
    """In a compacted topic the last row of a key counts; by its place, or by its version where a letter has none."""

    def customer(version):
        return orjson.dumps({"version": version})

    await put(kafka, "vtex.customers", customer(1), customer(2), key=b"acme/c1")
    await put(kafka, "vtex.customers", customer(1), key=b"acme/c2")
    row = {"topic": "vtex.customers", "size": None}
    first, second = b64encode(b"acme/c1").decode(), b64encode(b"acme/c2").decode()
    one = b64encode(customer(1)).decode()
    await bury(
        kafka,
        a_letter(0, step="customers", **row, key=first, value=one),
        (topics.DEAD_LETTERS.key("acme", "hellotext/c1/1"), _letter("hellotext/c1/1", first, one)),
        (topics.DEAD_LETTERS.key("acme", "hellotext/c2/1"), _letter("hellotext/c2/1", second, one)),
    )  # fmt: skip
    done = {each.letter.letter: each for each in await redrive(kafka, await list_letters(kafka))}

    assert done["hellotext/c2/1"].outcome == "redriven"
    for name in (f"customers/pixel.events/{SHARD}/0", "hellotext/c1/1"):
        assert done[name].outcome == "impossible"
        assert "newer row" in done[name].reason
    assert len(await list_letters(kafka)) == 2


def _letter(name, key, value):
    """Return a letter of the profiles agent, which knows no offset."""
    return orjson.dumps({
        "store": "acme", "letter": name, "step": "hellotext", "reason": "refused", "topic": "vtex.customers",
        "partition": SHARD, "key": key, "value": value, "at": "2026-09-22T10:00:01.000Z",
    })  # fmt: skip


async def test_letters_are_put_away_without_being_sent(kafka):
    """Those that were asked for, wherever they stand."""
    await bury(kafka, a_letter(1), a_letter(2), a_letter(3, store="bravo"))
    letters = await list_letters(kafka)

    assert await remove(kafka, letters[1:]) == 2
    assert await remove(kafka, letters[1:]) == 0

    assert [letter.offset for letter in await list_letters(kafka)] == [1]
    assert await records(kafka, "pixel.events") == []


async def test_a_refused_event_reaches_hellotext_after_the_redrive(kafka, tmp_path):
    """The whole way: refused, a letter that refers to it, redriven once Hellotext takes it, and then it is there."""
    hellotext = StandInHellotext()
    stores = Stores(GivenDirectory(a_store()), lambda sealed: sealed)
    made = handlers(stores, hellotext.client())
    hellotext.answers(422)
    at = "2026-11-26T10:00:00.000Z"
    data = {"store": "acme", "session": "s1", "at": at, "device": {}, "action": "product.viewed"}
    event = orjson.dumps({"specversion": "1.0", "id": "e1", "source": "tracking", "type": "tracking.event", "time": at,
                          "store": "acme", "receivedtime": at, "data": data})  # fmt: skip

    async with running(kafka, tmp_path, handlers=made, agents=[ForwardAgent(stores)]):
        await put(kafka, "tracking.events", event)
        while not (letters := await list_letters(kafka)):
            pass
        assert [(letter.letter, letter.obstacle) for letter in letters] == [("forward/e1", None)]
        assert hellotext.events == []

        hellotext.heals()
        assert [each.outcome for each in await redrive(kafka, letters)] == ["redriven"]
        await until("the event is there", lambda: len(hellotext.events) == 1)
    assert await list_letters(kafka) == []
