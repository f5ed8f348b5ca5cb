"""Plays planned days through the real interfaces: the collector over HTTP, VTEX by what happens in its shops.

Stories run side by side, each in its own order. A call that is turned away for the moment (429, 5xx, nobody there) is
made again: the figures are about a day on which everything arrived.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import structlog

from sandbox.accounts import Account
from sandbox.facts import Facts
from sandbox.life import Day, evening, plan_day
from sandbox.stage import Scene
from sandbox.steps import Call, ShopChange, Step, Story, Trigger, Webhook
from sandbox.vtex.triggers import Trigger as ShopTrigger

log = structlog.get_logger(__name__)

ACTORS: Final = 12
"""Stories under way at once, of all stores together."""
_TRIES: Final = 40
_PATIENCE: Final = 0.25
_LONGEST_WAIT: Final = 5.0
_COUNTED: Final = {"put_customer": "customers", "place_order": "orders", "delete_customer": "deleted"}


class DayError(RuntimeError):
    """The day cannot go on; says which call failed and how. Holds no address with a secret in it."""


@dataclass(frozen=True, slots=True)
class Venue:
    """Where a store's day takes place.

    Attributes:
        collector: its address, without `/v1`.
        reports_url: where Infobip's reports go, with the store's secret as `?token=`; None leaves reports out.
        origin: of the shop's pages.
    """

    store: str
    account: Account
    business: str
    collector: str
    reports_url: str | None
    origin: str
    timezone: str
    currency: str

    def scene(self, seed: int) -> Scene:
        """Return the store as it is now."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return Scene(
            self.store, self.business, self.origin, self.account.country, self.timezone, self.currency, seed, now
        )

    def trigger_url(self, resource: str) -> str | None:
        """Return where VTEX's triggers and hooks go; None while no secret is known."""
        token = parse_qs(urlsplit(self.reports_url or "").query).get("token", [""])[0]
        address = f"{self.collector}/v1/triggers/{quote(self.store)}/{resource}"
        return f"{address}?token={quote(token)}" if token else None


@dataclass(slots=True)
class Progress:
    """How far the day is."""

    phase: str = "idle"
    done: int = 0
    total: int = 0
    finished: bool = False
    error: str | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def document(self) -> dict[str, Any]:
        """Return the answer of `GET /control/day`."""
        return {
            "phase": self.phase, "done": self.done, "total": self.total, "finished": self.finished,
            "error": self.error, "counts": dict(sorted(self.counts.items())),
        }  # fmt: skip


class Player:
    """Plays one day at a time."""

    def __init__(self) -> None:
        self.progress = Progress()

    async def play(self, venues: list[Venue], seed: int, customers: int) -> None:
        """Play a day of some stores; `progress` tells how far it is, and, when it broke off, why."""
        self.progress = Progress(phase="planning")
        try:
            days = [self._plan(venue, seed, customers) for venue in venues]
            limits = httpx.Limits(max_connections=ACTORS, max_keepalive_connections=ACTORS)
            async with httpx.AsyncClient(timeout=30, limits=limits) as http:
                await self._play(http, venues, days, seed)
            self.progress.phase = "done"
        except Exception as error:  # noqa: BLE001  whatever it is, GET /control/day tells it
            self.progress.error = _told(error)
            log.error("the day broke off", seed=seed, error=self.progress.error)  # noqa: TRY400  a traceback shows secrets
        finally:
            self.progress.finished = True

    def _plan(self, venue: Venue, seed: int, customers: int) -> Day:
        account = venue.account
        facts = account.facts.setdefault(venue.store, Facts(venue.store, venue.timezone, venue.currency))
        day = plan_day(venue.scene(seed), account.keeping, facts, customers)
        account.keeping.known, account.keeping.aside = day.customers, day.aside
        account.days.add(seed)
        deleted = venue.trigger_url("customers")
        if deleted is not None:
            body = {"id": "{!id}", "deleted": "true"}
            account.shop.add_trigger(ShopTrigger(deleted, rule="deleted", body=body))
        return day

    async def _play(self, http: httpx.AsyncClient, venues: list[Venue], days: list[Day], seed: int) -> None:
        told = [(venue, story) for venue, day in zip(venues, days, strict=True) for story in day.stage.stories]
        self.progress.total = sum(len(story.steps) for _, story in told)
        self.progress.phase = "customers register"
        await self._stories(http, [pair for pair in told if pair[1].first])
        self.progress.phase = "the day"
        rest = [pair for pair in told if not pair[1].first]
        days[0].stage.chance.shuffle(rest)
        await self._stories(http, rest)
        self.progress.phase = "the evening"
        late = [
            (venue, story) for venue, day in zip(venues, days, strict=True) for story in evening(day, venue.scene(seed))
        ]
        self.progress.total += sum(len(story.steps) for _, story in late)
        await self._stories(http, late)

    async def _stories(self, http: httpx.AsyncClient, told: Iterable[tuple[Venue, Story]]) -> None:
        waiting = iter(list(told))

        async def act() -> None:
            for venue, story in waiting:
                for step in story.steps:
                    await self._step(http, venue, step)
                    self.progress.done += 1

        async with asyncio.TaskGroup() as actors:
            for _ in range(ACTORS):
                actors.create_task(act())

    async def _step(self, http: httpx.AsyncClient, venue: Venue, step: Step) -> None:
        counts = self.progress.counts
        match step:
            case Call():
                await self._post(http, venue.collector + step.path, step.document, step.headers, step.path)
                counts.update(step.counts)
            case Webhook():
                if venue.reports_url is not None:
                    await self._post(http, venue.reports_url, step.document, {}, "the reports address")
                    counts.update(step.counts)
            case Trigger():
                address = venue.trigger_url(step.resource)
                if address is not None:
                    await self._post(http, address, step.document, {}, "the trigger address")
                    counts["triggers"] += 1
            case ShopChange():
                getattr(venue.account.shop, step.method)(*step.arguments, **step.fields)
                counts[_COUNTED.get(step.method, "changes")] += 1

    async def _post(self, http: httpx.AsyncClient, url: str, document: Any, headers: dict[str, str], what: str) -> None:
        """POST until it is taken.

        Raises:
            DayError: it was refused for good, or nobody took it in all that time.
        """
        body = {"content": document} if isinstance(document, str) else {"json": document}
        last = "nobody answered"
        for _ in range(_TRIES):
            wait = _PATIENCE
            try:
                answer = await http.post(url, headers=headers, **body)
            except httpx.TransportError as error:
                last = type(error).__name__
            else:
                if answer.status_code == 200:  # noqa: PLR2004  the contract: success is exactly that
                    return
                last = f"the answer {answer.status_code}"
                if answer.status_code < 500 and answer.status_code != 429:  # noqa: PLR2004  refused for good
                    break
                wait = min(float(answer.headers.get("Retry-After") or _PATIENCE), _LONGEST_WAIT)
            self.progress.counts["again"] += 1
            await asyncio.sleep(wait)
        raise DayError(f"{what} did not take a call: {last}; is the store connected and the collector running?")


def _told(error: BaseException) -> str:
    """Return what went wrong, and where, unless the message says it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, DayError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (line {frame.lineno} of {Path(frame.filename).name})"
