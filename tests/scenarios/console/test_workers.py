"""How the workers get on, looked at on a real broker: a group of theirs that comes, consumes, and goes."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from connectors.console.settings import ConsoleSettings
from connectors.console.state import ReadModel
from connectors.console.watching import look
from connectors.kafka.progress import open_progress
from schemas.partition import shard_of
from tests.conftest import PARTITIONS
from tests.waiting import until

pytestmark = pytest.mark.broker
SHARD = shard_of("acme", PARTITIONS)


async def ended(progress):
    """Return whether the end of the transaction stands behind its two records."""
    return (await progress.ends())["pixel.events", SHARD] == 3


async def test_members_and_what_waits_are_seen(kafka):
    """Nobody; then one who has consumed all but one record; the end of a transaction is none; then nobody again."""
    model, topic = ReadModel(ConsoleSettings()), kafka.topic("pixel.events")
    async with open_progress(kafka, ["pixel.events", "campaigns"]) as progress:
        await look(kafka, progress, model)
        assert (model.workers.members, model.workers.backlogs) == (0, {})

        async with AIOKafkaProducer(transactional_id=kafka.topic("w"), **kafka.options()) as producer:
            await producer.begin_transaction()
            for _ in range(2):
                await producer.send(topic, key=b"acme/s", value=b"x", partition=SHARD)
            await producer.commit_transaction()
        await until("what is committed can be read, a moment later", lambda: ended(progress))
        async with AIOKafkaConsumer(
            topic, group_id=kafka.topic("streams"), enable_auto_commit=False, **kafka.options()
        ) as consumer:
            await consumer.getmany(timeout_ms=1)
            await consumer.commit({TopicPartition(topic, SHARD): OffsetAndMetadata(1, "")})
            await look(kafka, progress, model)
            backlog = model.workers.backlogs[SHARD]
            assert (model.workers.members, backlog.records >= 1) == (1, True)

            await consumer.commit({TopicPartition(topic, SHARD): OffsetAndMetadata(2, "")})
            await look(kafka, progress, model)
            await look(kafka, progress, model)  # what has not moved since is looked into
            assert model.workers.backlogs == {}
        await look(kafka, progress, model)
        assert model.workers.members == 0
