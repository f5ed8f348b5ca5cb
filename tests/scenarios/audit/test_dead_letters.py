"""Dead letters on the real broker: listed, shown, and sent again once."""

import asyncio
import os
from base64 import b64encode

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.audit import audit
from connectors.kafka.audit_rules import Balance
from connectors.kafka.dead_letters import count_letters, list_letters, redrive, show
from connectors.kafka.errors import RedriveInterrupted
from connectors.kafka.reader import CommittedReader, read_topic
from connectors.kafka.watermarks import high_watermarks
from schemas import topics
from schemas.events import CONTENT_TYPE
from schemas.partition import shard_of
from streams.engine.agent import Agent, Poison
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from tests.conftest import PARTITIONS

pytestmark = pytest.mark.broker

SHARD = shard_of("acme", PARTITIONS)
DEADLINE_S = 60.0


class Picky(Agent):
    """Gives up on everything but what it has been taught."""

    name = "tracking"
    inputs = (topics.PIXEL_EVENTS,)

    def __init__(self, *taught):
        self._taught = taught

    def process(self, batch, shard):
        for record in batch:
            if record.value not in self._taught:
                raise Poison("never heard of it")


def a_letter(number, *, step="tracking", store="acme", **changes):
    """Return key and value of a letter about a record of `pixel.events`."""
    original = f"value-{number}".encode()
    row = {
        "store": store, "letter": f"{step}/pixel.events/{SHARD}/{number}", "step": step, "reason": "unreadable",
        "topic": "pixel.events", "partition": SHARD, "offset": number, "key": b64encode(b"acme/s1").decode(),
        "value": b64encode(original).decode(), "size": len(original), "at": f"2026-09-22T10:00:{number:02}.000Z",
        **changes,
    }  # fmt: skip
    return topics.DEAD_LETTERS.key(store, row["letter"]), orjson.dumps(row)


async def bury(kafka, *letters):
    """Write letters."""
    async with AIOKafkaProducer(**kafka.options()) as producer:
        for key, value in letters:
            shard = shard_of(key.partition(b"/")[0].decode(), PARTITIONS)
            await producer.send_and_wait(kafka.topic("dead.letters"), key=key, value=value, partition=shard)


async def records(kafka, topic):
    """Return the committed records of a topic, once every transaction of now is decided.

    A broker answers before readers are shown what was committed.
    """
    async with CommittedReader(kafka, [topic]) as reader:
        ends = await high_watermarks(kafka, topic, range(PARTITIONS))
        return [record async for batch in reader.until(ends) for record in batch.records]


async def test_letters_are_listed_without_their_bytes(kafka):
    """The oldest first; by store and step; what was removed is gone; what is no letter is passed over."""
    removed = a_letter(9)
    await bury(kafka, a_letter(2), a_letter(1, step="kpis"), a_letter(3, store="bravo"), removed, (removed[0], None),
               (b"acme/odd", b"no letter"))  # fmt: skip

    letters = await list_letters(kafka)
    assert [(letter.store, letter.offset, letter.size) for letter in letters] == [
        ("acme", 1, 7), ("acme", 2, 7), ("bravo", 3, 7)
    ]  # fmt: skip
    assert [letter.offset for letter in await list_letters(kafka, store="acme", step="tracking")] == [2]
    assert await list_letters(kafka, step="nobody") == []
    assert await count_letters(kafka) == {"acme": 3, "bravo": 1}


async def test_letters_behind_an_open_transaction_are_waited_for(kafka):
    """As one is for a moment after its commit: who lists letters just after a redrive sees what it did."""
    async with AIOKafkaProducer(transactional_id=kafka.topic("open"), **kafka.options()) as other:
        async with other.transaction():
            key, value = a_letter(9)
            await other.send_and_wait(kafka.topic("dead.letters"), key=key, value=value, partition=SHARD)
            await bury(kafka, a_letter(1), (key, None))
            listing = asyncio.create_task(list_letters(kafka))
            for _ in range(3):  # what sees no further than the transaction ends meanwhile
                assert [batch async for batch in read_topic(kafka, "dead.letters")] == []
            assert not listing.done()
        assert [letter.offset for letter in await asyncio.wait_for(listing, DEADLINE_S)] == [1]


async def test_a_letter_is_shown_whole(kafka):
    """With its bytes; None where there is none, or none any more."""
    await bury(kafka, a_letter(1), a_letter(2), (a_letter(2)[0], None))

    shown = await show(kafka, f"tracking/pixel.events/{SHARD}/1")
    assert (shown.reason, shown.value) == ("unreadable", b64encode(b"value-1").decode())
    assert await show(kafka, f"tracking/pixel.events/{SHARD}/1", store="bravo") is None
    assert await show(kafka, f"tracking/pixel.events/{SHARD}/2") is None


async def test_redriven_once_however_often_it_is_asked(kafka):
    """The bytes are back under their key, marked; the letter is gone; a second time there is nothing to do."""
    await bury(kafka, a_letter(1), a_letter(2))
    letters = await list_letters(kafka)

    dry = await redrive(kafka, letters, dry_run=True)
    assert [each.outcome for each in dry] == ["possible", "possible"]
    assert await records(kafka, "pixel.events") == []

    assert [each.outcome for each in await redrive(kafka, letters[:1])] == ["redriven"]
    assert [each.outcome for each in await redrive(kafka, letters)] == ["gone", "redriven"]
    assert [each.outcome for each in await redrive(kafka, letters)] == ["gone", "gone"]
    found = await records(kafka, "pixel.events")
    assert [(record.key, record.value, record.partition) for record in found] == [
        (b"acme/s1", b"value-1", SHARD), (b"acme/s1", b"value-2", SHARD)
    ]  # fmt: skip
    assert found[0].headers == (*CONTENT_TYPE, ("redriven-from", letters[0].letter.encode()))
    assert await list_letters(kafka) == []


async def test_what_cannot_be_redriven_says_why_and_stays(kafka):
    """What never stood in a topic, what was cut, what stood in a topic that is none of ours any more."""
    nowhere = {"topic": None, "partition": None, "offset": None}
    big = b64encode(b"x" * 256_000).decode()
    await bury(
        kafka, a_letter(1, step="collector", **nowhere), a_letter(2, size=900), a_letter(3, topic="gone.topic"),
        a_letter(4, value=big, size=None), a_letter(5, value=None, size=None),
    )  # fmt: skip
    done = await redrive(kafka, await list_letters(kafka))

    assert [each.outcome for each in done] == [*["impossible"] * 4, "redriven"]
    assert [each.reason for each in done][:4] == [
        "the original never came into a topic: whoever sent it has to send it again, corrected",
        "only its first 7 bytes were kept: whoever wrote it has to send it again",
        "its topic gone.topic is none of ours any more",
        "only its first 256,000 bytes were kept: whoever wrote it has to send it again",
    ]
    assert len(await list_letters(kafka)) == 4
    assert [record.value for record in await records(kafka, "pixel.events")] == [None]


async def test_many_letters_in_several_transactions(kafka, monkeypatch):
    """All of them, each once."""
    monkeypatch.setattr("connectors.kafka.dead_letters.TRANSACTION", 7)
    await bury(kafka, *(a_letter(number) for number in range(30)))
    done = await redrive(kafka, await list_letters(kafka))

    assert {each.outcome for each in done} == {"redriven"}
    values = [record.value for record in await records(kafka, "pixel.events")]
    assert sorted(values) == sorted(f"value-{number}".encode() for number in range(30))


async def test_a_redrive_that_fails_holds_nobody_up(kafka):
    """One record cannot be sent: nothing of the transaction is seen, nothing stays open, the letters wait."""
    await bury(kafka, a_letter(1), a_letter(2, partition=PARTITIONS + 5))
    letters = await list_letters(kafka)
    with pytest.raises(AssertionError):
        await redrive(kafka, letters)

    async with AIOKafkaProducer(**kafka.options()) as producer:
        await producer.send_and_wait(kafka.topic("pixel.events"), key=b"acme/s1", value=b"later", partition=SHARD)
    assert [record.value for record in await records(kafka, "pixel.events")] == [b"later"]
    assert len(await list_letters(kafka)) == 2


async def test_two_redrives_at_a_time_send_a_letter_once(kafka):
    """One of them takes over, the other says so; whatever was committed is done once."""
    await bury(kafka, *(a_letter(number) for number in range(20)))
    letters = await list_letters(kafka)
    ended = await asyncio.gather(redrive(kafka, letters), redrive(kafka, letters), return_exceptions=True)

    assert all(isinstance(each, list | RedriveInterrupted) for each in ended)
    await redrive(kafka, letters)
    assert len(await records(kafka, "pixel.events")) == 20


async def test_a_record_that_an_agent_gave_up_on_is_counted_after_the_redrive(kafka):
    """Both its lives have their fate: dead, then counted; and the audit balances."""
    settings = EngineSettings(instance=f"letters-{os.getpid()}")
    async with AIOKafkaProducer(**kafka.options()) as producer:
        for value in (b"plain", b"strange"):
            await producer.send_and_wait(kafka.topic("pixel.events"), key=b"acme/s1", value=value, partition=SHARD)
    await consume(kafka, settings, Picky(b"plain"))
    (letter,) = await list_letters(kafka)
    assert (letter.reason, letter.size, letter.obstacle) == ("never heard of it", 7, None)

    await redrive(kafka, [letter])
    await consume(kafka, settings, Picky(b"plain", b"strange"))

    report = await audit(kafka)
    assert report.stores["acme"]["pixel.events"] == Balance(accepted=3, counted=2, dead=1)
    assert report.balanced
    assert report.letters == {}


async def consume(kafka, settings, agent):
    """Run a worker until nothing is in flight."""
    ready, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(Worker(kafka, [agent], {}, settings).run(on_ready=ready.set, stop=stop))
    async with asyncio.timeout(DEADLINE_S):
        await ready.wait()
        while (await audit(kafka)).stores["acme"]["pixel.events"].in_flight:
            pass
        stop.set()
        assert await task == 0
