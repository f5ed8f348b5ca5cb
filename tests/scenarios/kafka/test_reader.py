"""Readers hand out what is committed, all of it, in order, and end exactly."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.errors import BrokerUnreachable, TopicMissing
from connectors.kafka.reader import CommittedReader, follow, latest_by_key, read_topic
from tests.waiting import until

pytestmark = pytest.mark.broker
TOPIC = "read"
PARTITIONS = 3
DEADLINE_S = 60


@pytest.fixture
async def topic(empty_kafka) -> KafkaConnection:
    """A connection under whose prefix one topic stands."""
    async with open_admin(empty_kafka) as admin:
        await admin.create({empty_kafka.topic(TOPIC): {}}, PARTITIONS, 1)
    return empty_kafka


async def put(producer, kafka, values, partition=0):
    """Write values, each under itself as key, and wait for the broker."""
    for value in values:
        await producer.send_and_wait(kafka.topic(TOPIC), value, key=value, partition=partition)


def transactional(kafka, name="t"):
    """A transactional producer of this test's own."""
    return AIOKafkaProducer(transactional_id=kafka.topic(name), **kafka.options())


async def everything(kafka, **options):
    """Read the topic to its end, as (partition, value)."""
    async with asyncio.timeout(DEADLINE_S):
        return [
            (batch.partition, record.value)
            async for batch in read_topic(kafka, TOPIC, **options)
            for record in batch.records
        ]


async def test_an_empty_topic_ends_at_once(topic):
    """No batch, no waiting."""
    assert await everything(topic) == []


async def test_committed_and_aborted_interleaved(topic):
    """Aborted records are left out, also where a partition ends in them and their control records."""
    async with transactional(topic) as producer:
        for number in range(6):
            await producer.begin_transaction()
            await put(producer, topic, [b"%d" % number], partition=number % 2)
            if number % 3 == 2 or number == 4:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()

    assert sorted(await everything(topic)) == [(0, b"0"), (1, b"1"), (1, b"3")]


async def test_an_open_transaction_ends_the_read_before_it(topic):
    """What stands behind an unfinished transaction is not committed yet; the read does not wait for it."""
    async with AIOKafkaProducer(**topic.options()) as plain, transactional(topic) as producer:
        await put(plain, topic, [b"before"])
        await producer.begin_transaction()
        await put(producer, topic, [b"open"])
        await put(plain, topic, [b"after"])

        assert await everything(topic) == [(0, b"before")]

        await producer.commit_transaction()

        async def shown():  # a moment after the broker has answered
            return await everything(topic) == [(0, b"before"), (0, b"open"), (0, b"after")]

        await until("it is committed", shown)


async def test_the_end_is_that_of_the_beginning(topic):
    """Records written while it reads are not handed out, though they were fetched."""
    async with AIOKafkaProducer(**topic.options()) as producer:
        await put(producer, topic, [b"%d" % number for number in range(5)])
        read = []
        async with asyncio.timeout(DEADLINE_S):
            async for batch in read_topic(topic, TOPIC, max_records=2):
                read += [record.value for record in batch.records]
                await put(producer, topic, [b"late"])

    assert read == [b"0", b"1", b"2", b"3", b"4"]


async def test_small_fetches_bound_the_memory_and_lose_nothing(topic):
    """With 2 kB a fetch and one record a poll, order and number stay."""
    values = [b"%04d" % number + bytes(500) for number in range(40)]
    async with AIOKafkaProducer(**topic.options()) as producer:
        await put(producer, topic, values, partition=2)

    assert await everything(topic, fetch_bytes=2048, max_records=1) == [(2, value) for value in values]


async def test_from_an_offset_and_of_some_partitions(topic):
    """Only what was asked for."""
    async with AIOKafkaProducer(**topic.options()) as producer:
        for partition in range(PARTITIONS):
            await put(producer, topic, [b"%d" % number for number in range(4)], partition)

    assert await everything(topic, partitions=[1], start={(TOPIC, 1): 2}) == [(1, b"2"), (1, b"3")]


async def test_the_latest_of_each_key(topic):
    """The last value wins, a tombstone removes."""
    async with AIOKafkaProducer(**topic.options()) as producer:
        for key, value in [(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"c", None), (b"c", b"3")]:
            await producer.send_and_wait(topic.topic(TOPIC), value, key=key, partition=0)

    assert {key: record.value for key, record in (await latest_by_key(topic, TOPIC)).items()} == {
        b"a": b"2",
        b"c": b"3",
    }


async def test_following_goes_on(topic):
    """What stands there comes first, then what is written, without end; or only the latter."""
    async with AIOKafkaProducer(**topic.options()) as producer:
        await put(producer, topic, [b"old"])
        all_of_it, new = follow(topic, TOPIC), follow(topic, TOPIC, at_end=True)
        async with asyncio.timeout(DEADLINE_S):
            assert [record.value for record in (await anext(all_of_it)).records] == [b"old"]
            coming = asyncio.create_task(anext(new))
            waiting = asyncio.create_task(anext(all_of_it))
            while not coming.done():  # it begins at the end of the moment in which it connected
                await put(producer, topic, [b"new"])
                await asyncio.wait([coming], timeout=0.05)
            assert {record.value for record in coming.result().records} == {b"new"}
            assert (await waiting).records[0].value == b"new"
        await all_of_it.aclose()
        await new.aclose()


async def test_a_missing_topic_is_named(empty_kafka):
    """With its full name and what creates it."""
    with pytest.raises(TopicMissing, match=rf"{empty_kafka.topic('nothing')} .*topics create"):
        await latest_by_key(empty_kafka, "nothing")


async def test_a_read_that_does_not_get_on_ends_in_an_error(topic, monkeypatch):
    """A topic deleted under the reader does not hold it for ever."""
    monkeypatch.setattr("connectors.kafka.reader.PATIENCE_S", 0.5)
    async with CommittedReader(topic, [TOPIC]) as reader:
        beyond = reader.until({(TOPIC, 0): 99})
        with pytest.raises(BrokerUnreachable, match=r"has not moved for 0\.5 s"):
            await anext(beyond)


async def test_a_reader_whose_broker_is_gone_is_closed(caplog):
    """Not cancelled: aiokafka lets out that it cancelled a fetch of its own, and a console ended by that."""
    caplog.set_level("ERROR", "aiokafka.consumer.fetcher")
    async with EmbeddedKafka() as kafka:
        connection, (node,) = kafka.connection(), kafka.nodes.values()
        async with open_admin(connection) as admin:
            await admin.create({TOPIC: {}}, 1, 1)
        async with CommittedReader(connection, [TOPIC]) as reader:
            await reader.poll()
            node.kill()
            async with asyncio.timeout(DEADLINE_S):
                while "Failed fetch" not in caplog.text:  # from now on it waits to try again, again and again
                    await reader.poll(timeout_ms=10)

    assert reader._consumer._client._conns == {}
