"""The directory of stores knows what is committed, follows it, and is not led astray by a bad row."""

import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.errors import BrokerUnreachable
from connectors.kafka.stores import StoreDirectory
from schemas.partition import shard_of
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess
from schemas.topics import STORES
from tests.waiting import until

pytestmark = pytest.mark.broker


def store(name: str, business: str | None = None, **changes) -> StoreConnection:
    """A connected store."""
    return StoreConnection(
        store=name,
        vtex=VtexAccess(account=name, url="http://vtex.invalid", app_key="k", app_token="sealed"),
        hellotext=HellotextAccess(
            url="http://hellotext.invalid/v1", business_id=business or f"B-{name}", token="sealed"
        ),
        country="BR",
        timezone="America/Sao_Paulo",
        currency="BRL",
        hash_secret="sealed",
        hook_secret="sealed",
        server_token="sealed",
        connected_at="2026-01-01T00:00:00Z",
    ).model_copy(update=changes)


class Wizard:
    """Writes rows as the wizard does."""

    def __init__(self, kafka, producer) -> None:
        self.kafka, self.producer = kafka, producer

    async def put(self, name: str, row: StoreConnection | bytes | None) -> None:
        value = row.model_dump_json().encode() if isinstance(row, StoreConnection) else row
        await self.producer.send_and_wait(
            self.kafka.topic(STORES.name), value, key=STORES.key(name), partition=shard_of(name, 4)
        )


@pytest.fixture
async def wizard(kafka):
    """Somebody who connects stores."""
    async with AIOKafkaProducer(acks="all", **kafka.options()) as producer:
        yield Wizard(kafka, producer)


async def test_it_knows_what_stands_and_follows_what_comes(kafka, wizard):
    """Adds, changes and removals, each told to subscribers, each found by name and by business."""
    await wizard.put("acme", store("acme"))
    await wizard.put("beta", store("beta"))
    await wizard.put("gone", store("gone"))
    await wizard.put("gone", None)
    told = []
    async with StoreDirectory(kafka) as directory:
        assert [row.store for row in directory.all()] == ["acme", "beta"]
        stop = directory.subscribe(lambda name, row: told.append((name, row and row.hellotext.business_id)))

        await wizard.put("acme", store("acme", "B-new"))
        await wizard.put("beta", None)
        await wizard.put("late", store("late"))
        await directory.catch_up()

        assert [row.store for row in directory.all()] == ["acme", "late"]
        assert directory.by_business("B-new") is directory.get("acme")
        assert (directory.by_business("B-acme"), directory.by_business("B-beta"), directory.get("beta")) == (None,) * 3
        assert sorted(told) == [("acme", "B-new"), ("beta", None), ("late", "B-late")]
        stop()
        await wizard.put("late", None)
        await directory.catch_up()
        assert len(told) == 3


async def test_the_same_row_again_is_no_change(kafka, wizard):
    """A repeated write is told to nobody."""
    await wizard.put("acme", store("acme"))
    told = []
    async with StoreDirectory(kafka) as directory:
        directory.subscribe(lambda *change: told.append(change))
        await wizard.put("acme", store("acme"))
        await directory.catch_up()
    assert told == []


async def test_a_business_goes_with_the_store_connected_last(kafka, wizard):
    """When it moves to another store, removing the first one does not lose it."""
    async with StoreDirectory(kafka) as directory:
        await wizard.put("old", store("old", "B"))
        await directory.catch_up()
        await wizard.put("new", store("new", "B"))
        await directory.catch_up()
        await wizard.put("old", None)
        await directory.catch_up()
        assert directory.by_business("B") is directory.get("new")


@pytest.mark.parametrize("row", [b"", b"no json", b"{}", b"\xff\xfe", b'{"store": "acme"}'])
async def test_a_bad_row_concerns_only_itself(kafka, wizard, row):
    """What cannot be read is passed over; the store stays as it was and the others go on."""
    await wizard.put("acme", store("acme"))
    async with StoreDirectory(kafka) as directory:
        await wizard.put("acme", row)
        await wizard.put("beta", store("beta"))
        await directory.catch_up()
        assert [known.store for known in directory.all()] == ["acme", "beta"]
    async with StoreDirectory(kafka) as again:
        assert [known.store for known in again.all()] == ["acme", "beta"]


async def test_a_subscriber_that_fails_harms_nobody(kafka, wizard):
    """The directory and the other subscribers go on."""
    told = []
    async with StoreDirectory(kafka) as directory:
        directory.subscribe(lambda *_: 1 / 0)
        directory.subscribe(lambda name, _: told.append(name))
        await wizard.put("acme", store("acme"))
        await wizard.put("beta", store("beta"))
        await directory.catch_up()
    assert sorted(told) == ["acme", "beta"]


async def test_uncommitted_rows_are_not_known(kafka):
    """A row counts when its transaction is committed."""
    producer = AIOKafkaProducer(transactional_id=kafka.topic("wizard"), **kafka.options())
    async with producer, StoreDirectory(kafka) as directory:
        wizard = Wizard(kafka, producer)
        await producer.begin_transaction()
        await wizard.put("acme", store("acme"))
        await directory.catch_up()
        assert directory.all() == ()
        await producer.commit_transaction()
        await until("it is known", lambda: directory.get("acme"))  # the commit's mark is written a moment later


async def test_catching_up_in_vain_is_an_error(kafka):
    """A time limit holds, and the message says what was wanted."""
    async with StoreDirectory(kafka) as directory:
        with pytest.raises(BrokerUnreachable, match="could not be read to their end within 0 s"):
            await directory.catch_up(0)
