"""What happens now: the fate of every event as agents commit it, and what could not be processed."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.console.console import Console
from connectors.console.figures import Figures, Shown
from connectors.console.state import ReadModel, StoreView
from schemas.fates import FateSummary

FATES: Final = {
    "counted": ("Counted", "Took part in the figures"),
    "duplicate": ("Duplicate", "Known already: changed nothing"),
    "filtered": ("Filtered", "Left out on purpose: a bot, or no consent"),
    "dead": ("Dead letter", "Could not be processed; kept, with the reason"),
}
BATCHES_SHOWN: Final = 40
UNCOUNTED_SHOWN: Final = 5
LETTERS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class AgentRow:
    """What an agent did with the events it was accountable for."""

    agent: str
    counts: dict[str, Shown]
    widths: dict[str, tuple[float, float]]
    total: Shown


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch of an agent: what became of it."""

    at: str
    agent: str
    topic: str
    place: str
    counts: tuple[tuple[str, str, Shown], ...]
    uncounted: tuple[tuple[str, str, str], ...]
    more: int


@dataclass(frozen=True, slots=True)
class LetterRow:
    """A dead letter, without its contents."""

    letter: str
    at: str
    step: str
    reason: str
    source: str


def routes(console: Console) -> list[Route]:
    """Return the address of the live view."""

    async def show(request: Request) -> Response:
        store = console.store(request)
        return console.page(
            request, "activity.html", live=store.store, store=store, fates=FATES,
            **activity(console.model, console.figures, store),
        )  # fmt: skip

    return [Route("/stores/{store}/activity", show)]


def activity(model: ReadModel, figures: Figures, store: StoreView) -> dict[str, Any]:
    """Return what the live view's template needs."""
    summaries = list(model.fates[store.store])
    letters = [letter for letter in reversed(model.letters.values()) if letter.store == store.store]
    return {
        "agents": agent_rows(model, figures, store),
        "batches": [_batch(summary, figures, store) for summary in reversed(summaries[-BATCHES_SHOWN:])],
        "letters": [
            LetterRow(each.letter, figures.moment(each.at, store.timezone), each.step, each.reason, each.source)
            for each in letters[:LETTERS_SHOWN]
        ],
        "letter_count": len(letters),
        "letters_left_out": model.letters_left_out,
    }


def agent_rows(model: ReadModel, figures: Figures, store: StoreView) -> list[AgentRow]:
    """Return each agent's counts of fates, by name."""
    agents: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (agent, fate), count in model.fate_counts[store.store].items():
        agents[agent][fate] = count
    return [_agent(agent, agents[agent], figures) for agent in sorted(agents)]


def _agent(agent: str, counts: dict[str, int], figures: Figures) -> AgentRow:
    total, x, widths = sum(counts.values()), 0.0, {}
    for fate in FATES:
        width = 100 * counts.get(fate, 0) / total if total else 0.0
        widths[fate] = round(x, 3), round(width, 3)
        x += width
    shown = {fate: figures.count(counts.get(fate, 0)) for fate in FATES}
    return AgentRow(agent, shown, widths, figures.count(total))


def _batch(summary: FateSummary, figures: Figures, store: StoreView) -> BatchRow:
    first, last = summary.first_offset, summary.last_offset
    return BatchRow(
        figures.clock(summary.at, store.timezone),
        summary.agent,
        summary.topic,
        f"[{summary.partition}] {first}" if first == last else f"[{summary.partition}] {first}\N{EN DASH}{last}",
        tuple(
            (fate, name, figures.count(count))
            for fate, (name, _) in FATES.items()
            if (count := summary.counts.get(fate, 0))  # type: ignore[call-overload]  # FATES has exactly the fates
        ),
        tuple((each.id, each.fate, each.reason or "") for each in summary.uncounted[:UNCOUNTED_SHOWN]),
        max(0, len(summary.uncounted) - UNCOUNTED_SHOWN),
    )
