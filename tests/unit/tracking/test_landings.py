"""Arrivals from our campaigns (docs/kpis.md): told once each, whatever the order."""

import itertools

import pytest

from schemas.clock import to_ms, to_text
from streams.tracking import LANDINGS
from tests.unit.tracking.conftest import NOW, Agent, told

U = {"source": "hellotext", "medium": "whatsapp", "campaign": "C1"}
HOUR = 3_600_000


def observed(ms: int) -> dict[str, str]:
    """The cookie of a client that notes when it arrived."""
    return {**U, "observed_at": to_text(ms)}


def landings(agent: Agent) -> list[tuple[str, int, int | None]]:
    """Each landing: campaign, time, the browser's own note; times relative to now."""
    told_of = [event["landing"] for event in agent.events if event.get("landing")]
    return [
        (one["campaign"], to_ms(one["at"]) - NOW, to_ms(one["observed_at"]) - NOW if "observed_at" in one else None)
        for one in told_of
    ]


def touches(agent: Agent) -> set[tuple[str, int]]:
    """What a reader makes of them: each note at its earliest time; without any, the earliest sight."""
    notes: dict[tuple[str, int | None], int] = {}
    for campaign, at, note in landings(agent):
        notes[campaign, note] = min(at, notes.get((campaign, note), at))
    noted = {campaign for campaign, note in notes if note is not None}
    return {(campaign, at) for (campaign, note), at in notes.items() if note is not None or campaign not in noted}


async def test_the_first_sight_is_the_click(agent, page):
    """The cookie lives ten years: what merely carries the campaign is no click."""
    await agent.feed(page(utm_params=U), page("cart.added", utm_params=U, received=NOW + HOUR))
    await agent.feed(page(utm_params=U, received=NOW + 48 * HOUR))

    assert landings(agent) == [("C1", 0, None)]
    assert agent.events[0]["landing"]["channel"] == "whatsapp"


async def test_an_earlier_sight_corrects_it(agent, page):
    """What waited in a spool arrives late."""
    await agent.feed(page(utm_params=U), page(utm_params=U, received=NOW - HOUR), page(utm_params=U, received=NOW - 1))

    assert landings(agent) == [("C1", 0, None), ("C1", -HOUR, None)]


async def test_each_note_of_an_arrival_is_a_landing(agent, page):
    """A second click on the campaign's link is a second touch; the event's own time is none."""
    first, second = observed(NOW - 3 * HOUR), observed(NOW - HOUR)
    await agent.feed(page(utm_params=first), page("a.b", utm_params=first), page("a.c", utm_params=second))

    assert landings(agent) == [("C1", -3 * HOUR, -3 * HOUR), ("C1", -HOUR, -HOUR)]


async def test_mere_sight_beside_a_note_is_nothing(agent, page):
    """Whichever comes first, only the note counts for a reader."""
    await agent.feed(page(utm_params=observed(NOW - HOUR)), page("a.b", utm_params=U))

    assert landings(agent) == [("C1", -HOUR, -HOUR)]


async def test_a_clock_that_is_ahead(agent, page):
    """A note of the future is one arrival, at its earliest receipt, however many events carry it."""
    ahead = observed(NOW + 2 * HOUR)
    await agent.feed(*(page("a.b", utm_params=ahead, received=NOW + minutes * 60_000) for minutes in (5, 0, 10, 300)))

    assert landings(agent) == [("C1", 5 * 60_000, 2 * HOUR), ("C1", 0, 2 * HOUR)]
    assert touches(agent) == {("C1", 0)}


async def test_campaigns_and_sessions_have_their_own(agent, page):
    """And other sources, and events without a campaign or session, have none."""
    await agent.feed(
        page(utm_params=U), page(utm_params={**U, "campaign": "C2"}), page(utm_params=U, session="S2"),
        page(utm_params={**U, "source": "google"}, session="S3"), page(utm_params={"source": "hellotext"}, session="S"),
        page(utm_params=U, session=None),
    )  # fmt: skip

    assert landings(agent) == [("C1", 0, None), ("C2", 0, None), ("C1", 0, None)]


async def test_acknowledgements_are_arrivals(agent):
    """A first visit sends two: the one without a session is of nobody, the other is the first sight (A3.2)."""
    body = {"utm_params": U, "at": to_text(NOW - 500)}
    await agent.feed(told(body, "acknowledgement"), told({**body, "session": "S1"}, "acknowledgement"))
    await agent.feed(told({"session": "S1", "action": "page.viewed", "utm_params": U}))

    assert [event["kind"] for event in agent.events] == ["acknowledgement", "acknowledgement", "event"]
    assert landings(agent) == [("C1", -500, None)]


async def test_a_bots_arrival_is_none(agent, page):
    """The messenger's preview does not take the visitor's place."""
    await agent.feed(page(utm_params=U, agent="WhatsApp/2.24.5.76 A", received=NOW - HOUR))
    await agent.feed(page(utm_params=U))

    assert agent.reasons == ["bot"]
    assert landings(agent) == [("C1", 0, None)]


async def test_rows_stay_small(agent, page):
    """An older client notes an arrival for each page that it builds: the latest notes are kept, and the first sight."""
    await agent.feed(page(utm_params=U))
    await agent.feed(*(page("a.b", utm_params=observed(NOW - n)) for n in range(1, 60)))
    await agent.feed(page("a.c", utm_params=observed(NOW - 1)))

    (row,) = agent.shard.table(LANDINGS).values()
    assert len(row) == 16
    assert set(row) == {"", *(str(NOW - n) for n in range(1, 16))}
    assert len(landings(agent)) == 60


@pytest.mark.parametrize("notes", [(None, None, None), (1, None, 2), (2, 1, 1), (None, 1, None)])
async def test_any_order_gives_the_same_touches(make_agent, page, notes):
    """Three events, with and without notes, in every order and with one told again."""
    records = [
        page("a.b", utm_params=observed(NOW - HOUR * note) if note else U, received=NOW + 10_000 * number)
        for number, note in enumerate(notes)
    ]
    found = set()
    for order in itertools.permutations([*records, records[0]]):
        agent = make_agent()
        for record in order:
            await agent.feed(record)
        found.add(frozenset(touches(agent)))

    assert len(found) == 1
