"""The state of the system, from progress alone: who waits for whom. No process is pinged.

Each store's data flows through four stations; what a station last did, and what piles up before it, tells its state.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from connectors.console.figures import Figures
from connectors.console.reading import Progress
from connectors.console.state import ReadModel, StoreView
from connectors.console.workers import Trouble
from connectors.vtex.problems import Problem
from connectors.vtex.progress import ReadingProgress
from schemas import topics

Level = Literal["ok", "idle", "busy", "warn", "bad"]
_GRAVITY: Final = ("ok", "idle", "busy", "warn", "bad")
WORKER: Final = "Worker"
POLLER_SILENT: Final = timedelta(minutes=15)
"""Cursors are committed with every window that was read, in each poll interval."""
POLLER_STARTS: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Station:
    """One part of a store's flow, and what it is doing.

    Attributes:
        text: short, for a row of stations.
        todo: what a person can do where it is not well.
    """

    name: str
    level: Level
    text: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody waits for somebody, or for a person."""

    level: Level
    text: str
    todo: str
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The state of what a page is about."""

    level: Level
    text: str
    waits: tuple[Wait, ...]


def health_of(model: ReadModel, progress: Progress, stores: list[StoreView], figures: Figures, now: datetime) -> Health:
    """Return the state of some stores together, the gravest matter first."""
    found: list[Wait] = []
    if progress.waits_for:
        level: Level = "bad" if progress.loaded else "busy"
        found.append(Wait(level, f"The console waits: {progress.waits_for}", "What pages show is as of before."))
    absent = model.workers.absent(now)
    if absent is not None and stores:  # one matter, however many stores there are
        station = _stuck(absent, figures, now)
        found.append(Wait(station.level, f"{station.name}: {station.text}", station.todo))
    for store in stores:
        found += [
            Wait(station.level, f"{station.name}: {station.text}", station.todo, store.store)
            for station in stations(model, store, figures, now)
            if station.level in {"busy", "warn", "bad"} and not (absent and station.name == WORKER)
        ]
    found.sort(key=lambda wait: -_GRAVITY.index(wait.level))
    grave = [wait for wait in found if wait.level in {"warn", "bad"}]
    if grave:
        return Health(grave[0].level, _number(len(grave), "matter needs", "matters need") + " attention", tuple(found))
    return Health("busy", "Working", tuple(found)) if found else Health("ok", "All is well", ())


def stations(model: ReadModel, store: StoreView, figures: Figures, now: datetime) -> tuple[Station, ...]:
    """Return the stations of a store's data, in the order of its flow."""
    return (
        _vtex(model, store, figures, now),
        _pixel(model, store, figures, now),
        _worker(model, store, figures, now),
        *(_destination(model, store, name, figures) for name in ("hellotext", "infobip") if _has(store, name)),
    )


def _vtex(model: ReadModel, store: StoreView, figures: Figures, now: datetime) -> Station:
    if store.paused:
        return Station("VTEX", "idle", "paused")
    # A note asks for nothing to be done: it stands under Customers alone.
    if problems := tuple(problem for problem in model.problems(store.store) if not problem.note):
        return _troubled(store, problems, figures, now)
    rests = model.rests_until(store.store)
    if rests is not None and rests > now:
        text = f"calls rest until {figures.clock(rests, store.timezone)}"
        return Station("VTEX", "busy", text, "It does not answer, or asks for a pause; it is tried again by itself.")
    return _reading(model, store, figures, now)


def _reading(model: ReadModel, store: StoreView, figures: Figures, now: datetime) -> Station:
    cursors = model.reads(store.store).values()
    if not cursors:
        if now - store.connected_at < POLLER_STARTS:
            return Station("VTEX", "busy", "waiting for the first read")
        return Station("VTEX", "warn", "nothing read yet", "See that a poller runs: hellotext-vtex poller")
    under_way = [each for each in model.first_readings(store.store) if not each.finished]
    if under_way:
        return _under_way(under_way, figures, now)
    latest = max(cursor.updated_at for cursor in cursors)
    if now - latest > POLLER_SILENT:
        return Station("VTEX", "warn", f"last read {figures.ago(latest, now)}", "See that a poller runs, and its log.")
    return Station("VTEX", "ok", f"read {figures.ago(latest, now)}")


def _troubled(store: StoreView, problems: tuple[Problem, ...], figures: Figures, now: datetime) -> Station:
    first, others = problems[0], len(problems) - 1
    more = f" (and {_number(others, 'other reader', 'other readers')})" if others else ""
    text = f"{first.reader} not read: {first.reason}{more}"
    again = tried_again(first, store, figures, now)
    return Station(
        "VTEX", "warn", text, f"Since {figures.ago(first.since, now)}{again}; all reasons stand under Customers."
    )


def tried_again(problem: Problem, store: StoreView, figures: Figures, now: datetime) -> str:
    """Return the words that say when a reader tries again, to follow others; none where it is trying just now."""
    if problem.again is None or problem.again <= now:
        return ""
    return f"; tries again at {figures.clock(problem.again, store.timezone)}"


def _under_way(readings: list[ReadingProgress], figures: Figures, now: datetime) -> Station:
    first = readings[0]
    if all(each.stalled(now) for each in readings):
        text = f"backfill of {first.resource} stands still since {figures.ago(first.at, now)}"
        return Station("VTEX", "warn", text, "See that a poller runs, and its log.")
    share = "" if first.share is None else f", {figures.percent(first.share, '').text}"
    return Station("VTEX", "busy", f"backfill of {first.resource}{share}")


def _pixel(model: ReadModel, store: StoreView, figures: Figures, now: datetime) -> Station:
    latest = last_event(model, store)
    if latest is None:
        return Station("Pixel", "idle", "no event yet", "Put the snippet into the shop's pages: see Setup.")
    if now - latest > timedelta(days=1):
        return Station("Pixel", "warn", f"last event {figures.ago(latest, now)}", "Check the shop's page: see Setup.")
    return Station("Pixel", "ok", f"event {figures.ago(latest, now)}")


def _worker(model: ReadModel, store: StoreView, figures: Figures, now: datetime) -> Station:
    trouble = model.workers.trouble(store.store, now)
    if trouble is not None and trouble.kind != "busy":
        return _stuck(trouble, figures, now)
    letters = sum(letter.store == store.store for letter in model.letters.values())
    if letters:
        text = _number(letters, "dead letter", "dead letters")
        return Station(WORKER, "warn", text, "Read why under Activity, put it right, then redrive them.")
    if trouble is not None:
        return Station(WORKER, "busy", f"{_records(trouble.records)} wait")
    seen = model.last_fates[store.store].values()
    return (
        Station(WORKER, "ok", f"worked {figures.ago(max(seen), now)}")
        if seen
        else Station(WORKER, "idle", "nothing to do yet")
    )


def _stuck(trouble: Trouble, figures: Figures, now: datetime) -> Station:
    since, waiting = figures.span(now - trouble.since), _records(trouble.records)
    if trouble.kind == "absent":
        text = f"none runs, for {since}" + (f"; {waiting} wait" if trouble.records else "")
        return Station(WORKER, "bad", text, "Start one: hellotext-vtex worker, or up. Nothing is lost meanwhile.")
    if trouble.kind == "still":
        todo = "See its log, and /health on its WORKER_WEB_PORT, which says whom it waits for; then restart it."
        return Station(WORKER, "bad", f"stands still, for {since}; {waiting} wait", todo)
    todo = "It gets on, but more comes than it takes: see /health on its WORKER_WEB_PORT, or start another one."
    return Station(WORKER, "warn", f"behind, for {since}; {waiting} wait", todo)


def _records(count: int) -> str:
    return _number(count, "record", "records")


def _destination(model: ReadModel, store: StoreView, destination: str, figures: Figures) -> Station:
    states, name = model.customers.of(store.store).of(destination), destination.capitalize()
    count = {state: figures.count(number).text for state, number in states.items()}
    if "failed" in states:
        return Station(
            name, "warn", f"{count['failed']} customers failed", "See Customers, and the destination's keys."
        )
    if "uncertain" in states:
        return Station(
            name, "busy", f"{count['uncertain']} uncertain", "Answers were lost; they are looked up, then settled."
        )
    if "pending" in states:
        return Station(name, "busy", f"{count['pending']} customers wait")
    return (
        Station(name, "ok", f"{count['synced']} synced") if "synced" in states else Station(name, "idle", "nobody yet")
    )


def _has(store: StoreView, destination: str) -> bool:
    return destination != "infobip" or store.infobip_url is not None


def last_event(model: ReadModel, store: StoreView) -> datetime | None:
    """Return when an event of the store's pages was last accounted for."""
    return model.last_fates[store.store].get(topics.PIXEL_EVENTS.name)


def _number(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count:,} {many}"
