"""The crash tests' own eyes: a run that is judged too early looks as if something was lost."""

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from connectors.kafka.admin import open_admin
from schemas import topics
from tests.crash.engine.running import SHARD, put
from tests.crash.herd import PARTITIONS, Herd, drained

pytestmark = pytest.mark.broker
INPUTS = [topics.PIXEL_EVENTS.name]


@pytest.fixture
async def outbox(kafka):
    """An empty outbox, which workers would have created."""
    async with open_admin(kafka) as admin:
        await admin.create({kafka.topic("streams.engine.outbox-changelog"): {}}, PARTITIONS, 1)


@pytest.mark.usefixtures("outbox")
async def test_what_nobody_has_consumed_yet_is_not_drained(kafka, tmp_path):
    """However little it is: the workers that are to consume it may just be starting."""
    await put(kafka, b"1", b"2", b"3")

    left = await drained(kafka.options(), kafka.topic_prefix, INPUTS, Herd(list, tmp_path), seconds=3)

    assert left == {TopicPartition(kafka.topic("pixel.events"), SHARD): 3}


@pytest.mark.usefixtures("outbox")
async def test_the_marks_of_transactions_are_no_records(kafka, tmp_path):
    """They stand behind what was consumed, and are never committed."""
    place = TopicPartition(kafka.topic("pixel.events"), SHARD)
    producer = AIOKafkaProducer(transactional_id=kafka.topic("t"), **kafka.options())
    async with producer, producer.transaction():
        await producer.send(place.topic, b"1", key=b"acme/k", partition=SHARD)
        await producer.send_offsets_to_transaction({place: 1}, kafka.topic("streams"))

    assert await drained(kafka.options(), kafka.topic_prefix, INPUTS, Herd(list, tmp_path)) == {}
