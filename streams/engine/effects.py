"""The effect runner: makes the calls that agents staged, after the commit, and brings their outcomes back as input.

Calls run concurrently, bounded in all and for each (store, destination), in order for each key. A call that cannot be
repeated is claimed durably first. Outcomes go to `effects.outcomes`; the shard's transaction that consumes one removes
the effect from the outbox. A call whose outcome was lost runs again if that is harmless, else it is `uncertain`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext, suppress
from time import monotonic, time
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiolimiter import AsyncLimiter

from schemas.clock import to_text
from schemas.topics import EFFECTS_OUTCOMES
from streams.engine.breaker import Breaker
from streams.engine.effect import Effect, EffectHandler, EffectOutcome
from streams.engine.fates import trace_of
from streams.engine.health import SILENT_S, Wait
from streams.engine.lanes import Lanes, Route
from streams.engine.metrics import Metrics
from streams.engine.names import StreamNames
from streams.engine.outbox import Row, effect_of, row_key
from streams.engine.settings import EffectSettings
from streams.engine.tenure import Tenure

log = structlog.get_logger(__name__)

Claim = Callable[[str], Awaitable[None]]
SEND_RETRY_S = 1.0
STOP_S = 5.0
"""aiokafka would wait for its last batches until a broker is back."""
UNKNOWN = (
    "an answer to its heartbeat: without one, others may own its shards by now; look at the network and the broker"
)


class _Gate:
    """What calls of one (store, destination) share.

    Args:
        settings: bounds and rates.
        destination: whose.
        room: what all calls of the worker share that leave one by one.
    """

    def __init__(self, settings: EffectSettings, destination: str, room: asyncio.Semaphore) -> None:
        rate = settings.rates.get(destination, settings.rate)
        together = settings.gathered.get(destination)
        self.limiter = AsyncLimiter(max(1.0, rate), max(1.0, rate) / rate)
        self.slots = asyncio.Semaphore(together or settings.per_destination)
        self.room = nullcontext() if together else room  # they are as many as `slots` says
        self.breaker = Breaker(settings.breaker_after, settings.breaker_first_s, settings.breaker_longest_s)
        self.wake = asyncio.Event()


class _ShardEffects:
    """The effects of one shard that this worker owns."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.lanes = Lanes()
        self.gates: dict[Route, _Gate] = {}
        self.pumps: set[asyncio.Task[None]] = set()
        self.calls: set[asyncio.Task[None]] = set()


class EffectRunner:
    """Makes effects for all shards of a worker.

    Args:
        handlers: who makes which kind of effect.
        settings: bounds and rates.
        names: of topics on the broker.
        options: for any aiokafka client.
        metrics: where outcomes are counted.
        tenure: of the worker; no call begins when it is over.
    """

    def __init__(
        self, handlers: Mapping[str, EffectHandler], settings: EffectSettings, names: StreamNames,
        options: Mapping[str, Any], metrics: Metrics, *, tenure: Tenure,
    ) -> None:  # fmt: skip
        self._handlers = handlers
        self._settings = settings
        self._topic = names.topic(EFFECTS_OUTCOMES.name)
        self._options = options
        self._metrics = metrics
        self.tenure = tenure
        self._shards: dict[int, _ShardEffects] = {}
        self._room = asyncio.Semaphore(settings.concurrent)
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()

    async def start(self) -> None:
        """Connect the producer of outcomes: idempotent, all acks; a repeated outcome is a duplicate to its reader."""
        producer = self._new_producer()
        await producer.start()
        self._producer = producer

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(**self._options, enable_idempotence=True, acks="all", linger_ms=2)

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        """Replace a producer that will never send again: one whose sender has died answers all with its error."""
        async with self._renewing:
            if self._producer is not broken:
                return
            fresh = self._new_producer()
            try:
                await fresh.start()
            except (KafkaError, OSError) as error:
                log.warning("no new producer of outcomes yet", error=repr(error))
                await fresh.stop()
                return
            if self._producer is not broken:  # stopped meanwhile
                await fresh.stop()
                return
            self._producer = fresh
        with suppress(KafkaError, TimeoutError):
            await asyncio.wait_for(broken.stop(), SEND_RETRY_S)

    async def stop(self) -> None:
        """Disconnect; outcomes that no broker takes are left to the next owner, as those of a worker that dies."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), STOP_S)

    def take_over(self, shard: int, outbox: Mapping[str, Row], claim: Claim) -> None:
        """Begin with what the last owner of a shard has left; what it had claimed is uncertain."""
        mine = self._shards[shard] = _ShardEffects(claim)
        for key, row in sorted(outbox.items(), key=lambda item: item[1]["seq"]):
            self._pump(shard, mine, mine.lanes.put(key, row))
        self._count()

    async def let_go(self) -> None:
        """Stop making calls; those under way get a moment to end, for the next owner starts its own."""
        shards, self._shards = self._shards, {}
        for mine in shards.values():
            for pump in mine.pumps:
                pump.cancel()
        calls = {call for mine in shards.values() for call in mine.calls}
        if calls:
            await asyncio.wait(calls, timeout=self._settings.grace_s)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        self._count()

    def fenced(self, shard: int) -> None:
        """Begin no more calls for a shard that somebody else owns, who makes them too, and later ones after them."""
        mine = self._shards.get(shard)
        if mine is not None:
            for pump in mine.pumps:
                pump.cancel()
            mine.lanes.rows.clear()  # what has been taken to run and still waits is not made either

    def changed(self, shard: int, rows: Mapping[str, Row | None]) -> None:
        """Hear what a commit has changed in a shard's outbox."""
        mine = self._shards.get(shard)
        if mine is None:
            return
        for key, row in rows.items():
            route = mine.lanes.remove(key) if row is None else mine.lanes.put(key, row)
            if route is not None:
                self._pump(shard, mine, route)
        self._count()

    def waits(self) -> list[Wait]:
        """Return the destinations that are suspended; all are, when nobody knows whose the shards are."""
        now = monotonic()
        over_s = self.tenure.over_for if self._shards else 0.0
        unknown = [Wait("effects", UNKNOWN, over_s, healthy=over_s < SILENT_S)] if over_s else []
        return unknown + [
            Wait(f"effects of {store} to {destination}", "the destination, which fails", now - since, healthy=True)
            for mine in self._shards.values()
            for (store, destination), gate in mine.gates.items()
            if (since := gate.breaker.open_since) is not None
        ]

    def _count(self) -> None:
        self._metrics.effects_waiting.set(sum(len(mine.lanes.rows) for mine in self._shards.values()))

    def _pump(self, shard: int, mine: _ShardEffects, route: Route) -> None:
        gate = mine.gates.get(route)
        if gate is None:
            gate = mine.gates[route] = _Gate(self._settings, route[1], self._room)
            pump = asyncio.create_task(self._run(shard, mine, route, gate), name=f"effects-{route}")
            mine.pumps.add(pump)
        gate.wake.set()

    async def _run(self, shard: int, mine: _ShardEffects, route: Route, gate: _Gate) -> None:
        while True:
            gate.wake.clear()
            found = mine.lanes.next(route, int(time() * 1000))
            if found is None:
                await gate.wake.wait()
            elif isinstance(found, int):
                await _sleep_until(gate.wake, found)
            else:
                await gate.slots.acquire()
                call = asyncio.create_task(self._make(shard, mine, gate, *found))
                mine.calls.add(call)
                call.add_done_callback(mine.calls.discard)
                call.add_done_callback(lambda _: gate.slots.release())

    async def _make(self, shard: int, mine: _ShardEffects, gate: _Gate, key: str, row: Row) -> None:
        effect = effect_of(row)
        if row["state"] == "started":
            outcome = _outcome(effect, "uncertain", "its worker died, or was cut off, while the call was under way")
        else:
            await gate.breaker.ready()
            await gate.limiter.acquire()
            await self.tenure.held()
            if not effect.repeatable:  # as late as can be: what is claimed and not made is uncertain for ever
                await mine.claim(key)
            async with gate.room:
                await self.tenure.held()
                if not mine.lanes.holds(key, row):  # taken back while it waited: whose it was is forgotten
                    gate.breaker.untried()
                    return
                outcome = await self._call(effect)
            self._judge(gate, effect, outcome)
        await self._send(shard, outcome.model_copy(update={"attempt": row["attempt"]}))

    async def _call(self, effect: Effect) -> EffectOutcome:
        handler = self._handlers.get(effect.kind)
        if handler is None:
            return _outcome(effect, "rejected", f"no handler for {effect.kind}")
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                outcome = await handler(effect)
        except TimeoutError:
            return _outcome(effect, "uncertain", f"no answer in {self._settings.timeout_s:.0f} s")
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():  # the shard moves away; else the handler has lost a task of its own
                raise
            return self._broken(effect, error)
        except Exception as error:  # noqa: BLE001  a handler's bug stops only this effect
            return self._broken(effect, error)
        if not isinstance(outcome, EffectOutcome) or outcome.effect != effect.id or outcome.store != effect.store:
            log.error("effect handler answered with no outcome of its effect", kind=effect.kind, effect=effect.id,
                      answer=type(outcome).__name__)  # fmt: skip
            return _outcome(effect, "uncertain", f"the handler answered with a {type(outcome).__name__} of another")
        return outcome

    @staticmethod
    def _broken(effect: Effect, error: BaseException) -> EffectOutcome:
        log.error("effect handler raised", kind=effect.kind, effect=effect.id, where=trace_of(error))
        return _outcome(effect, "uncertain", f"the handler raised {type(error).__name__}")

    def _judge(self, gate: _Gate, effect: Effect, outcome: EffectOutcome) -> None:
        self._metrics.effects.labels(effect.destination, outcome.status).inc()
        if outcome.retry_after_ms:
            gate.breaker.pause(outcome.retry_after_ms / 1000)
        if outcome.status in {"retry", "uncertain"} and not outcome.retry_after_ms:
            gate.breaker.bad()
        else:
            gate.breaker.good()
        is_open = gate.breaker.open_since is not None
        self._metrics.breakers.labels(effect.store, effect.destination).set(int(is_open))

    async def _send(self, shard: int, outcome: EffectOutcome) -> None:
        key = row_key(outcome.store, outcome.effect).encode()
        value = outcome.model_dump_json().encode()
        while (producer := self._producer) is not None:
            try:
                await producer.send_and_wait(self._topic, key=key, value=value, partition=shard)
            except KafkaError as error:
                log.warning("outcome not written yet", effect=outcome.effect, error=repr(error))
                if not error.retriable:
                    await self._renew(producer)
                await asyncio.sleep(SEND_RETRY_S)
            else:
                return


def _outcome(effect: Effect, status: Any, reason: str) -> EffectOutcome:
    return EffectOutcome.model_validate({
        "effect": effect.id, "agent": effect.agent, "kind": effect.kind, "store": effect.store,
        "destination": effect.destination, "key": effect.key, "revision": effect.revision, "status": status,
        "reason": reason, "at": to_text(int(time() * 1000)),
    })  # fmt: skip


async def _sleep_until(wake: asyncio.Event, due: int) -> None:
    try:
        async with asyncio.timeout(max(0.001, due / 1000 - time())):
            await wake.wait()
    except TimeoutError:
        pass
