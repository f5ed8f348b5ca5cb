"""Until when readers and the calls of an account rest, in the store's status row and for those who look at it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from connectors.vtex.errors import Dispensable, Unavailable
from connectors.vtex.gate import TOLD_S, Gate
from connectors.vtex.problems import again_of, problems_of, rests_until
from connectors.vtex.settings import CallSettings
from connectors.vtex.status import STATUS, Status
from connectors.vtex.supervise import supervise, tell_rests
from sandbox.vtex.shop import Shop
from schemas.vtex import Cursor
from tests.unit.vtex.memory import MemoryJournal, source_of

NOW = 1_795_687_200
AT = datetime.fromtimestamp(NOW, UTC)


def row(status):
    """Return the row that a status is kept in."""
    return Cursor(store="acme", resource=STATUS, position=status.position, updated_at=AT)


def after(seconds):
    """Return a moment so long after the present of these tests."""
    return AT + timedelta(seconds=seconds)


def test_a_circuit_that_opens_is_news_until_an_answer_closes_it():
    """With the moment of the next try; short pauses are over before anybody reads of them."""
    gate = Gate("acme", CallSettings(breaker=1, breaker_wait=TOLD_S + 50), 6000)
    news, before = gate.news, time.time()
    gate.failed()
    assert news.is_set()
    assert before + 40 < gate.rests_until - TOLD_S <= time.time() + 50
    news = gate.news
    gate.succeeded()  # a call that was under way when the circuit opened
    assert (news.is_set(), gate.rests_until is None) == (False, False)
    gate.budget._paused_until = 0
    gate.succeeded()
    assert (news.is_set(), gate.rests_until) == (True, None)
    news = gate.news
    gate.throttled(TOLD_S - 1)
    assert (news.is_set(), gate.rests_until) == (False, None)


def test_a_pause_within_a_longer_one_does_not_end_it():
    """Nothing is called before the later of the two."""
    gate = Gate("acme", CallSettings(), 6000)
    gate.throttled(300)
    gate.throttled(60)
    assert gate.rests_until > time.time() + 200


def test_a_reader_tries_again_at_its_own_time_and_not_before_the_account_does():
    """Both stand in the row, to the second, never too early."""
    status = Status({}, lambda: NOW)
    status.wrong("customers", "no answer", wait=7.2)
    assert [each.again for each in problems_of(row(status))] == [after(8)]
    status.rest(NOW + 299.5)
    assert [each.again for each in problems_of(row(status))] == [rests_until(row(status))] == [after(300)]
    status.rest(None)
    status.wrong("customers", "no answer")
    assert [each.again for each in problems_of(row(status))] == [None]


def test_a_first_reading_waits_for_its_reader_or_for_the_account():
    """Not for another reader, and not for what the store is read without; rows of earlier versions tell nothing."""
    status = Status({}, lambda: NOW)
    status.wrong("customers.backfill", "no answer", wait=60)
    status.wrong("optins", "no such entity", note=True, wait=3600)
    assert again_of(row(status), "customers") == again_of(row(status), "addresses") == after(60)
    assert again_of(row(status), "orders") is again_of(row(status), "optins") is again_of(None, "customers") is None
    status.rest(NOW + 90)
    assert again_of(row(status), "orders") == again_of(row(status), "customers") == after(90)


@pytest.mark.parametrize("told", [{}, {"again": 5, "rests_until": 7}, {"again": {"orders": "soon"}, "rests_until": ""}])
def test_what_the_row_does_not_tell_is_unknown(told):
    """Nothing in it can harm."""
    position = {"problems": {"orders": "no answer"}, **told}
    [problem] = problems_of(Cursor(store="acme", resource=STATUS, position=position, updated_at=AT))
    assert problem.again is None


async def test_a_reader_that_failed_tells_when_it_tries_again():
    """What is read without, too."""
    journal = MemoryJournal()
    outcomes, told = [Unavailable("no answer", retry_after=0.01), Dispensable("none"), None], []

    async def look():
        told.append(journal.positions().get(STATUS, {}).get("again"))
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    task = asyncio.create_task(supervise(source_of(Shop("acme"), journal), "customers", look))
    async with asyncio.timeout(60):
        while "none" not in str(journal.positions().get(STATUS)):  # noqa: ASYNC110
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert set(told[1]) == {"customers"}
    again = datetime.fromisoformat(journal.positions()[STATUS]["again"]["customers"])
    assert timedelta(minutes=56) < again - datetime.now(UTC) < timedelta(minutes=64)


@pytest.mark.parametrize(("resource", "over"), [("orders.backfill", True), ("customers.scan", False)])
async def test_a_first_reading_that_moves_again_has_no_problem_any_more(resource, over):
    """One look at it takes hours, and must not pass for "not read since" all the time; other readers end theirs."""
    source = source_of(Shop("acme"), MemoryJournal())
    source.status.wrong(resource, "no answer")
    await source.move(resource, {"done": 100})
    assert (source.status.position["problems"] == {}) is over


async def test_a_rest_is_told_while_readers_wait_in_the_middle_of_a_look():
    """Before any of them has given up; and again when VTEX answers. Calls that go through are not told at all."""
    journal = MemoryJournal()
    source = source_of(Shop("acme"), journal)
    task = asyncio.create_task(tell_rests(source))

    async def until_told(holds):
        async with asyncio.timeout(60):
            while not holds(journal.positions().get(STATUS, {}).get("rests_until")):  # noqa: ASYNC110
                await asyncio.sleep(0)

    await asyncio.sleep(0)
    assert journal.positions() == {}
    source.client.gate.throttled(300)
    await until_told(lambda at: at is not None)
    assert datetime.fromisoformat(journal.positions()[STATUS]["rests_until"]) > datetime.now(UTC) + timedelta(minutes=4)
    source.client.gate.budget._paused_until = 0
    source.client.gate.succeeded()
    await until_told(lambda at: at is None)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
