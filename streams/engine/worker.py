# ruff: noqa: SLF001  touches internals of faust and aiokafka; each is named in internals.py and guarded by a test
"""A worker in the foreground: build it, run it until SIGTERM, say when it is ready."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn, Protocol

import aiokafka.producer.sender
import structlog

from streams.engine.agent import Agent
from streams.engine.app import ShardedApp
from streams.engine.changelogs import ensure_changelogs
from streams.engine.effect import EffectHandler
from streams.engine.effects import EffectRunner
from streams.engine.engine import Engine
from streams.engine.errors import Fatal
from streams.engine.health import Health
from streams.engine.metrics import Metrics
from streams.engine.milestones import Milestones, Unwatched
from streams.engine.names import StreamNames
from streams.engine.presence import Presence
from streams.engine.settings import EngineSettings
from streams.engine.state import Line
from streams.engine.tenure import Tenure
from streams.engine.transaction import EXIT_CRASHED
from streams.engine.twins import know_fenced_instances, reason_to_leave
from streams.engine.waiting import WaitLog
from streams.engine.web import add_pages

log = structlog.get_logger(__name__)

CONCURRENT_TRANSACTIONS_PAUSE_S = 0.003
"""aiokafka waits 20 ms when a transaction begins while the last one's markers are being written; it takes 1 to 3."""

GC_THRESHOLD = (200_000, 20, 50)
"""Four shards hold ten thousand short-lived records each, and as many for what they send: Python would search them for
cycles again and again (its default: after 700)."""

SWITCH_S = 0.001
"""A step of a transaction waits no longer for the consumer's thread, which decodes; Python's default is 5 ms."""


class Connection(Protocol):
    """How to reach the broker: `connectors.kafka.connection.KafkaConnection`."""

    def options(self) -> dict[str, Any]:
        """Return arguments for any aiokafka client."""

    def topic(self, name: str) -> str:
        """Return a topic's name with its prefix."""


class Worker:
    """One worker, built but not started.

    Args:
        connection: to the broker.
        agents: in the order in which they see a topic that several of them read.
        handlers: who makes which kind of effect.
        settings: of the engine.
        milestones: who watches its transactions.
    """

    def __init__(
        self, connection: Connection, agents: Iterable[Agent], handlers: Mapping[str, EffectHandler],
        settings: EngineSettings, *, milestones: Milestones | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.metrics = Metrics()
        self.line = Line(agents)
        self.names = StreamNames(connection.topic)
        self.options = connection.options()
        tenure = Tenure(settings.session_timeout_ms / 1000)
        self.effects = EffectRunner(handlers, settings.effects, self.names, self.options, self.metrics, tenure=tenure)
        self.engine = Engine(
            line=self.line, names=self.names, options=self.options, settings=settings, effects=self.effects,
            metrics=self.metrics, milestones=milestones or Unwatched(), fatal=leave,
        )  # fmt: skip
        self.app: ShardedApp | None = None
        self.health = Health(self.engine)
        self._waits = WaitLog(settings.instance)
        self._presence = Presence()

    async def run(self, on_ready: Callable[[], None] | None = None, stop: asyncio.Event | None = None) -> int:
        """Run until SIGTERM, SIGINT or `stop`; return the exit code.

        Args:
            on_ready: called once, when the first assignment is done and all its tables are restored.
            stop: another way to stop it.
        """
        aiokafka.producer.sender.BACKOFF_OVERRIDE = CONCURRENT_TRANSACTIONS_PAUSE_S
        know_fenced_instances()
        gc.set_threshold(*GC_THRESHOLD)
        sys.setswitchinterval(SWITCH_S)
        stopping = stop or asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        log.info("this worker starts", instance=self.settings.instance, topics=len(self.engine.source_topics),
                 tables=len(self.line.tables))  # fmt: skip
        changelogs = [self.names.changelog(table) for table in self.line.tables]
        try:
            partitions = await ensure_changelogs(self.options, self.engine.source_topics, changelogs, self.names.group)
        except Fatal as error:
            leave(error)
        app = self.app = ShardedApp(self.engine, self.options, partitions)
        add_pages(app, self.health, self.metrics)
        await self.effects.start()
        watch = asyncio.create_task(self._watch(on_ready))
        ends = [watch, *(asyncio.create_task(one.wait()) for one in (stopping, app._crashed))]
        start = asyncio.create_task(app.start())
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if app.crash_reason is not None:
                leave(reason_to_leave(app.crash_reason))
            if watch.done():
                leave(Fatal(EXIT_CRASHED, f"nobody watches the worker any more: {watch.exception()!r}"))
        finally:
            for task in (start, *ends):
                task.cancel()
            await self._stop(app)
        return 0

    async def _stop(self, app: ShardedApp) -> None:
        try:
            await app.stop()
            await self.effects.stop()
        except Exception as error:  # noqa: BLE001  the consumer's thread would keep the process alive, and silent
            leave(Fatal(EXIT_CRASHED, f"the worker could not stop in order: {error!r}. Nothing is lost or doubled."))

    async def _watch(self, on_ready: Callable[[], None] | None) -> None:
        told = False
        while True:
            self.engine.check()
            self._look_for_inputs()
            self.health.observe(self._measure(), self._answers(), self._misshapen(), self._refused())
            self._waits.observe(self.engine, self._left())
            if not told and self.engine.live:
                told = True
                if on_ready is not None:
                    on_ready()
            await asyncio.sleep(0.02 if not told else 1.0)

    def _left(self) -> int | None:
        """Return how many records of changelogs are to be restored; None while the consumer has no broker."""
        app = self.app
        if app is None or app._consumer is None or not app._consumer.started:
            return None
        return 0 if self.engine.live else max(0, app.tables.recovery.active_remaining_total())

    def _measure(self) -> dict[tuple[str, int], int]:
        left = self._left()
        if self.app is None or left is None:
            return {}
        self.metrics.restore.set(left)
        consumer = self.app.consumer
        sources = self.engine.source_topics
        lags = {(sources[topic].name, shard): lag for (topic, shard), lag in consumer.lags().items()}
        for (topic, shard), lag in lags.items():
            self.metrics.lag.labels(topic, shard).set(lag)
        return lags

    def _answers(self) -> dict[tuple[str, int], int]:
        """Return when a broker last answered for each input partition of which a batch is wanted."""
        return {} if self.app is None or self._left() is None else self.app.consumer.answers()

    def _refused(self) -> Mapping[tuple[str, int], tuple[str, float]]:
        """Return the partitions of which nothing can be had."""
        return {} if self.app is None or self._left() is None else self.app.consumer.refused()

    def _look_for_inputs(self) -> None:
        if self.app is not None and self._left() is not None:
            try:
                self._presence.observe(self.app.consumer.there())
            except Fatal as error:
                leave(error)

    def _misshapen(self) -> list[str]:
        """Return the input topics that have got another number of partitions meanwhile."""
        return [] if self.app is None or self._left() is None else self.app.consumer.misshapen()


def leave(error: Fatal) -> NoReturn:
    """Exit at once: what is in memory is not to be trusted, and what is committed is safe."""
    log.critical("worker exits", code=error.code, message=str(error))
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(error.code)
