"""Who makes the calls: requests gathered, paced, and told apart; stores that are not there."""

import asyncio
from itertools import pairwise
from time import monotonic

import httpx
import pytest

from connectors.kafka.errors import WrongKey
from streams.calls import handlers
from streams.calls.gathering import Gathering, Pacer
from streams.calls.outcomes import outcome_of
from streams.engine.effect import Effect
from streams.stores import Stores
from tests.destinations import StandInHellotext, StandInInfobip
from tests.stores import GivenDirectory, a_store, stores_of
from tests.unit.profiles.conftest import INFOBIP
from tests.waiting import until


def an_effect(number, store="acme", kind="infobip.person", email=None):
    """Return an effect for a person."""
    contacts = [{"type": "EMAIL", "identifier": email}] if email else []
    fields = {"externalId": f"c{number}", "contactInformation": contacts}
    return Effect(
        id=f"profile/infobip/c{number}/1", agent="profiles", kind=kind, store=store, destination="infobip",
        key=f"profile/c{number}", payload={"id": None, "customer": f"c{number}", "fields": fields, "look": False},
    )  # fmt: skip


async def test_persons_of_a_store_leave_together():
    """Whatever has arrived when the account takes a request."""
    infobip = StandInInfobip()
    made = handlers(stores_of(a_store(infobip=INFOBIP)), infobip.client())["infobip.person"]
    outcomes = await asyncio.gather(*(made(an_effect(number)) for number in range(300)))
    assert {outcome.status for outcome in outcomes} == {"done"}
    assert len(infobip.persons) == 300
    assert len(infobip.requests) == 1


async def test_two_persons_with_one_email_never_share_a_request():
    """Races inside a request are undocumented (contracts/infobip NOTES 4)."""
    infobip = StandInInfobip()
    made = handlers(stores_of(a_store(infobip=INFOBIP)), infobip.client())["infobip.person"]
    await asyncio.gather(*(made(an_effect(number, email="a@shop.example")) for number in range(3)))
    assert [len(body["persons"]) for _, _, _, body in infobip.requests] == [1, 1, 1]


async def test_an_account_gets_no_sixth_request_in_a_second():
    """Evenly spaced (contracts/infobip CONTRACT 2)."""
    pacer, times = Pacer(spacing_s=0.02), []
    for _ in range(6):
        await pacer.turn("account")
        times.append(monotonic())
    assert all(later - earlier >= 0.015 for earlier, later in pairwise(times))


async def test_a_request_takes_no_more_than_its_limit_and_skips_who_left():
    """A call that was cancelled meanwhile is not made."""
    sizes, turn = [], asyncio.Event()

    async def together(store, effects):
        sizes.append(len(effects))
        return [outcome_of(effect, "done") for effect in effects]

    async def wait(_):
        await turn.wait()

    gathering = Gathering(together, wait, 2, lambda effect: frozenset((effect.id,)))
    calls = [asyncio.create_task(gathering.call(an_effect(number))) for number in range(6)]
    await asyncio.sleep(0)
    calls[0].cancel()
    turn.set()
    await asyncio.gather(*calls[1:])
    assert sizes == [2, 2, 1]


async def test_a_bug_in_making_a_request_reaches_each_of_its_calls():
    """The engine then tells each effect uncertain; none waits for ever."""

    async def together(store, effects):
        raise LookupError

    async def now(_):
        return

    gathering = Gathering(together, now, 10, lambda effect: frozenset((effect.id,)))
    with pytest.raises(LookupError):
        await gathering.call(an_effect(1))


async def test_a_request_refused_for_one_person_takes_no_other_along():
    """A 400 of the whole request (contracts/infobip CONTRACT 2): it is parted until each refusal is one person's."""
    infobip = StandInInfobip()
    infobip.poison = {"c3", "c6"}
    made = handlers(stores_of(a_store(infobip=INFOBIP)), infobip.client())["infobip.person"]
    outcomes = await asyncio.gather(*(made(an_effect(number)) for number in range(8)))
    assert [outcome.status for outcome in outcomes].count("done") == 6
    assert {(outcomes[each].status, outcomes[each].code) for each in (3, 6)} == {("rejected", 400)}
    assert "c3" not in infobip.persons


async def test_a_parted_request_is_not_made_for_who_left():
    """Whoever waited has been told uncertain meanwhile, and comes again."""
    sizes, turns = [], asyncio.Semaphore(1)

    async def together(store, effects):
        sizes.append(len(effects))
        return None if len(effects) > 2 else [outcome_of(effect, "done") for effect in effects]

    async def turn(_):
        await turns.acquire()

    gathering = Gathering(together, turn, 4, lambda effect: frozenset((effect.id,)))
    calls = [asyncio.create_task(gathering.call(an_effect(number))) for number in range(4)]
    await until("the request refused", lambda: sizes == [4])
    for call in calls[:2]:
        call.cancel()
    for _ in range(2):
        turns.release()
    await asyncio.gather(*calls[2:])
    assert sizes == [4, 2]


@pytest.mark.parametrize("status", [302, 401, 404])
async def test_a_request_refused_for_its_address_is_not_parted(status):
    """It is about the connection: asking again, a person at a time, would tell the same."""
    infobip = StandInInfobip()
    infobip.answers(status)
    made = handlers(stores_of(a_store(infobip=INFOBIP)), infobip.client())["infobip.person"]
    outcomes = await asyncio.gather(*(made(an_effect(number)) for number in range(3)))
    assert ({outcome.code for outcome in outcomes}, len(infobip.requests)) == ({status}, 1)


class TestConnections:
    """What is wrong with a store's connection is no reason to lose its calls."""

    @pytest.mark.parametrize("kind", ["hellotext.profile", "infobip.person", "infobip.forget", "hellotext.event"])
    async def test_a_store_that_is_not_connected_is_waited_for(self, kind):
        """Not applied: tried again."""
        made = handlers(Stores(GivenDirectory(), lambda sealed: sealed), StandInHellotext().client())
        outcome = await made[kind](an_effect(1, kind=kind))
        assert (outcome.status, outcome.reason) == ("retry", "the store is not connected")

    async def test_infobip_may_have_been_disconnected(self):
        """Since the call was staged."""
        outcome = await handlers(stores_of(), StandInInfobip().client())["infobip.person"](an_effect(1))
        assert (outcome.status, outcome.reason) == ("retry", "the store is not connected to Infobip")

    async def test_a_token_that_does_not_open_is_said_so(self):
        """SECRETS_KEY is another: a person's mistake, repaired by a person."""

        def unseal(sealed):
            if sealed == "token":
                raise WrongKey("a store's secret does not open with this SECRETS_KEY")
            return sealed

        made = handlers(Stores(GivenDirectory(a_store()), unseal), StandInHellotext().client())
        outcome = await made["hellotext.profile"](an_effect(1))
        assert (outcome.status, outcome.reason) == ("retry", "a store's secret does not open with this SECRETS_KEY")

    async def test_the_pause_that_was_asked_for_is_kept(self):
        """429 with Retry-After."""
        hellotext = StandInHellotext()
        hellotext.answers(429, headers={"retry-after": "9"})
        outcome = await handlers(stores_of(), hellotext.client())["hellotext.profile"](an_effect(1))
        assert (outcome.status, outcome.code, outcome.retry_after_ms) == ("retry", 429, 9_000)

    async def test_a_whole_request_that_fails_tells_each_of_its_persons(self):
        """A time-out after sending: all of them uncertain."""
        infobip = StandInInfobip()
        infobip.raises(httpx.ReadTimeout("no answer"))
        made = handlers(stores_of(a_store(infobip=INFOBIP)), infobip.client())["infobip.person"]
        outcomes = await asyncio.gather(made(an_effect(1)), made(an_effect(2)))
        assert [outcome.status for outcome in outcomes] == ["uncertain", "uncertain"]
