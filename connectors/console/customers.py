"""Customers: how many there are, how they can be reached, where they stand at each destination, and the backfill."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.console.console import Console
from connectors.console.figures import Figures, Shown
from connectors.console.state import ReadModel, StoreView
from connectors.console.system import tried_again
from connectors.vtex.problems import touches
from connectors.vtex.progress import ReadingProgress

STATE_TEXTS: Final = {
    "synced": ("Synced", "The destination has the latest state"),
    "pending": ("Waiting", "To be sent; destinations take only so many a second"),
    "uncertain": ("Uncertain", "An answer was lost: it is looked up before anything is repeated"),
    "failed": ("Failed", "The destination refuses it unchanged"),
    "unreachable": ("Not reachable", "Has neither an e-mail nor a phone that the destination takes"),
    "deleted": ("Deleted", "Forgotten, or gone from VTEX"),
}


@dataclass(frozen=True, slots=True)
class StateRow:
    """Customers in one state at a destination; `x` and `width` of 100."""

    state: str
    name: str
    title: str
    count: Shown
    share: Shown
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Destination:
    """Where customers stand at a destination."""

    name: str
    states: tuple[StateRow, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A backfill's progress."""

    name: str
    share: float | None
    percent: Shown
    text: str
    note: str
    state: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """A reader that waits: why, since when, and when it tries again."""

    reader: str
    reason: str
    when: str
    moment: str
    again: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a resource has been read."""

    resource: str
    when: str
    moment: str


def routes(console: Console) -> list[Route]:
    """Return the address of the customers' page."""

    async def show(request: Request) -> Response:
        store = console.store(request)
        return console.page(
            request, "customers.html", live=store.store, store=store,
            **customers_page(console.model, console.figures, store, datetime.now(UTC)),
        )  # fmt: skip

    return [Route("/stores/{store}/customers", show)]


def customers_page(model: ReadModel, figures: Figures, store: StoreView, now: datetime) -> dict[str, Any]:
    """Return what the customers' template needs."""
    counts = model.customers.of(store.store)
    total = counts.total
    reach = [
        (name, figures.count(counts.reach[channel]), _share(counts.reach[channel], total, figures))
        for channel, name in (("whatsapp", "WhatsApp"), ("sms", "SMS"))
    ]
    names = ["hellotext", *(["infobip"] if store.infobip_url or counts.of("infobip") else [])]
    return {
        "total": figures.count(total),
        "reach": reach,
        "conflicts": counts.shared,
        "shared": figures.count(counts.shared),
        "destinations": [destination(name.capitalize(), counts.of(name), figures) for name in names],
        "bars": bars(model, figures, store, now),
        "troubles": troubles(model, figures, store, now),
        "readings": readings(model, figures, store, now),
        "left_out": model.customers.left_out,
    }


def destination(name: str, states: dict[str, int], figures: Figures) -> Destination:
    """Return the states of a destination, as parts of a bar."""
    total, x, rows = sum(states.values()), 0.0, []
    for state in sorted(states, key=lambda each: list(STATE_TEXTS).index(each)):
        text, title = STATE_TEXTS[state]
        width = 100 * states[state] / total
        count, share = figures.count(states[state]), _share(states[state], total, figures)
        rows.append(StateRow(state, text, title, count, share, round(x, 3), round(width, 3)))
        x += width
    return Destination(name, tuple(rows))


def bars(model: ReadModel, figures: Figures, store: StoreView, now: datetime) -> list[Bar]:
    """Return the backfills of a store, running ones first."""
    problems = model.problems(store.store)
    return [
        reading_bar(each, figures, now, [problem.reader for problem in problems if touches(problem, each.resource)])
        for each in model.first_readings(store.store)
    ]


def troubles(model: ReadModel, figures: Figures, store: StoreView, now: datetime) -> list[Trouble]:
    """Return what is wrong with the readers of a store, by reader."""
    return [
        Trouble(
            each.reader, each.reason, figures.ago(each.since, now), figures.moment(each.since, store.timezone),
            tried_again(each, store, figures, now),
        )
        for each in model.problems(store.store)
    ]  # fmt: skip


def reading_bar(reading: ReadingProgress, figures: Figures, now: datetime, waiting: Sequence[str] = ()) -> Bar:
    """Return a first reading as people read it: how much, how fast, how long.

    Args:
        reading: how far it has come.
        figures: how numbers are written.
        now: the present.
        waiting: readers of the same resource that cannot go on.
    """
    done = figures.count(reading.done).text
    text = done if reading.total is None else f"{done} of {figures.count(reading.total).text}"
    share = figures.percent(reading.share, "VTEX does not tell how many there are")
    if waiting:
        held = f"{' and '.join(waiting)} {'needs' if len(waiting) == 1 else 'need'} attention"
        note = f"read once, but {held}" if reading.finished else held
        return Bar(reading.resource, reading.share, share, done if reading.finished else text, note, "stalled")
    if reading.finished:
        return Bar(reading.resource, 1.0, share, done, "complete, and followed from now on", "done")
    if reading.stalled(now):
        return Bar(
            reading.resource,
            reading.share,
            share,
            text,
            f"stands still since {figures.ago(reading.at, now)}",
            "stalled",
        )
    notes = [f"{figures.count(round(reading.rate)).text} a second"] if reading.rate else []
    notes += [f"{figures.span(timedelta(seconds=reading.left_s))} left"] if reading.left_s is not None else []
    return Bar(reading.resource, reading.share, share, text, ", ".join(notes) or "just begun", "running")


def readings(model: ReadModel, figures: Figures, store: StoreView, now: datetime) -> list[Reading]:
    """Return when each resource was last read, by name."""
    cursors = model.reads(store.store)
    return [
        Reading(
            name, figures.ago(cursors[name].updated_at, now), figures.moment(cursors[name].updated_at, store.timezone)
        )
        for name in sorted(cursors)
    ]


def _share(part: int, total: int, figures: Figures) -> Shown:
    return figures.percent(part / total if total else None, "no customer is known yet")
