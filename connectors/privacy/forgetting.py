"""Forgetting, step by step, until nothing is left that can be erased.

1. Find the person (finding.py) and look what stands of them (remains.py); a person decides.
2. Ask: `privacy.requests`, their hashes and ids and the keys that stand. An agent of their shard does it in one
   transaction, and puts the hashes on the list that all agents consult.
3. Wait until that is committed, and everything that came before it was consumed: from here on nothing new gets in.
4. Wait until the destinations have erased, as far as they answer.
5. Look again. What was on its way at 2 and stands now is asked for again, until nothing does.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from connectors.kafka.progress import Progress, open_progress
from connectors.kafka.readiness import refused_by
from connectors.privacy.finding import find
from connectors.privacy.reading import Shard, scan
from connectors.privacy.remains import Remains, look
from connectors.privacy.traces import Traces
from schemas import topics
from schemas.privacy import ErasureRequest
from schemas.topics import PRIVACY_REQUESTS, PROFILES

MOST_ROUNDS: Final = 8
PART: Final = 2_000
"""Keys in one request: a record of some 300 kB at most."""
LOOK_S: Final = 0.5
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What came of it.

    Attributes:
        remains: as last looked at.
        rounds: how often the agent was asked.
        waited: why it was given up; None when it was not.
    """

    remains: Remains
    rounds: int
    waited: str | None = None


async def forget(shard: Shard, traces: Traces, remains: Remains, *, seconds: float, tell: Tell) -> Forgotten:
    """Have a person erased, and prove it.

    Args:
        shard: of their store.
        traces: who they are, found.
        remains: what stands of them.
        seconds: how long to wait for workers and destinations in all.
        tell: told what is going on; never a value.

    Raises:
        BrokerUnreachable, TopicMissing: as of any read.
    """
    until = time.monotonic() + seconds
    request = traces.request or str(uuid.uuid4())
    async with open_progress(shard.connection, shard.topics, [shard.partition]) as progress:
        for number in range(1, MOST_ROUNDS + 1):
            tell(f"asking the worker to erase ({number})")
            asked = await ask(shard, list(parts(shard, traces, remains, request)))
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await _taken(progress, shard, asked, tell)
                    await _passed(progress)
                    await _destinations(shard, traces, tell)
            except TimeoutError:
                return Forgotten(await look(shard, traces), number, await _why(shard, progress, asked))
            tell("looking what is left")
            await find(shard, traces)
            remains = await look(shard, traces)
            if not remains.standing("erased"):
                return Forgotten(remains, number)
    return Forgotten(remains, MOST_ROUNDS, "it comes back: does something else write into these topics?")


async def lift(shard: Shard, traces: Traces, *, seconds: float, tell: Tell) -> bool:
    """Take a person off the list; say whether that was done in time.

    Args:
        shard: of their store.
        traces: who they are; any one of their identifiers lifts all.
        seconds: how long to wait for a worker.
        tell: told what is going on.
    """
    row = ErasureRequest(
        store=shard.store, request=str(uuid.uuid4()), action="lift", hashes=traces.hashes,
        requested_at=datetime.now(UTC),
    )  # fmt: skip
    async with open_progress(shard.connection, shard.topics, [shard.partition]) as progress:
        asked = await ask(shard, [row])
        try:
            async with asyncio.timeout(seconds):
                await _taken(progress, shard, asked, tell)
        except TimeoutError:
            return False
    return True


def parts(shard: Shard, traces: Traces, remains: Remains, request: str) -> Iterator[ErasureRequest]:
    """Yield the requests for one round: one, or more where very many keys stand.

    An order under an address of long ago, but their phone, loses its buyer too: so its explanation has to be settled.
    """
    losing = {key.partition("/")[2] for key in remains.rows.get("orders", ())}
    common: dict[str, Any] = {
        "store": shard.store, "request": request, "hashes": traces.hashes, "customers": sorted(traces.customers),
        "users": sorted(traces.users), "sessions": sorted(traces.sessions), "orders": sorted(traces.orders | losing),
        "requested_at": datetime.now(UTC),
    }  # fmt: skip
    standing = [
        *(("records", name, key) for name, names in remains.records.items() for key in names),
        # Lists before what they list: between two parts, agents must find nothing listed that is gone.
        *(("rows", name, key) for name in sorted(remains.rows, key=_is_listed) for key in remains.rows[name]),
    ]
    rest = iter(standing)
    part = list(islice(rest, PART))
    while True:
        found: dict[str, dict[str, list[str]]] = {"records": {}, "rows": {}}
        for where, name, key in part:
            found[where].setdefault(name, []).append(key)
        yield ErasureRequest.model_validate({**common, **found})
        part = list(islice(rest, PART))
        if not part:
            return


def _is_listed(table: str) -> bool:
    return table == "journey-customers"


async def ask(shard: Shard, requests: list[ErasureRequest]) -> int:
    """Write requests, acknowledged by all replicas; return the offset of the last."""
    offset = -1
    async with _producer(shard) as producer:
        for number, row in enumerate(requests):
            told = await producer.send_and_wait(
                shard.connection.topic(PRIVACY_REQUESTS.name), row.model_dump_json().encode(),
                key=PRIVACY_REQUESTS.key(shard.store, row.request, number), partition=shard.partition,
            )  # fmt: skip
            offset = told.offset
    return offset


@asynccontextmanager
async def _producer(shard: Shard) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **shard.connection.options())
    try:
        try:
            await producer.start()
        except (KafkaConnectionError, OSError) as error:
            raise await refused_by(shard.connection, error) from error
        yield producer
    finally:
        await producer.stop()


async def _taken(progress: Progress, shard: Shard, asked: int, tell: Tell) -> None:
    tell("waiting for the worker of the shard")
    while (await progress.committed()).get((PRIVACY_REQUESTS.name, shard.partition), 0) <= asked:  # noqa: ASYNC110  told by the broker
        await asyncio.sleep(LOOK_S)


async def _passed(progress: Progress) -> None:
    """Return once everything that stands now was consumed."""
    ends = await progress.ends()
    while not await progress.passed(ends):  # noqa: ASYNC110  as above
        await asyncio.sleep(LOOK_S)


async def _destinations(shard: Shard, traces: Traces, tell: Tell) -> None:
    """Return once no destination has the person any more: their row in `profiles` is gone then."""
    tell("waiting for the destinations")
    while await _profiles(shard, traces):  # noqa: ASYNC110  as above
        await asyncio.sleep(LOOK_S)


async def _profiles(shard: Shard, traces: Traces) -> int:
    wanted = {PROFILES.key(shard.store, customer) for customer in traces.customers}
    found = await scan(shard, {PROFILES.name: lambda key, _: key in wanted})
    return len(found[PROFILES.name].latest)


async def _why(shard: Shard, progress: Progress, asked: int) -> str:
    committed = await progress.committed()
    if committed.get((PRIVACY_REQUESTS.name, shard.partition), 0) <= asked:
        return (
            "no worker has taken the request yet: it stands in privacy.requests, and is done as soon as one runs. "
            "Start one, then run `hellotext-vtex forget` again to prove it."
        )
    return (
        "a destination has not erased yet: it is tried again by itself, as any call. Run `hellotext-vtex forget` again "
        f"later; `hellotext-vtex topics read {topics.PROFILES.name} --store {shard.store}` shows which, and why."
    )
