"""Forgetting, with all agents in memory and the command's own search: what goes, what stays, what cannot return."""

import orjson
import pytest

from connectors.kafka.dead_letters import obstacle
from schemas import topics
from schemas.fates import DeadLetter
from schemas.vtex import CUSTOMER_DELETED
from streams.engine.outbox import OUTBOX
from streams.pipeline import agents
from streams.privacy_rules.tables import RULES, UNTOUCHED
from tests.stores import stores_of
from tests.unit.privacy.conftest import ANA, C, S, U


def test_every_table_has_a_rule():
    """A new table of any agent has to say what becomes of a person in it."""
    tables = {table.name for agent in agents(stores_of()) for table in agent.tables} | {OUTBOX.name}

    assert RULES.keys().isdisjoint(UNTOUCHED)
    assert tables == RULES.keys() | UNTOUCHED.keys()


async def test_nothing_of_the_person_is_left(lived):
    """Neither in tables nor in compacted topics nor at the destinations; what else holds a hash says until when."""
    assert lived.both.hellotext.profiles
    assert lived.both.infobip.persons
    before = lived.cells()

    traces, remains = await lived.forget(emails=ANA["email"])

    assert (traces.customers, traces.users, traces.sessions, traces.orders) == ({C}, {U}, {S}, {"1415"})
    assert remains.erased, remains.places
    assert {one.place for one in remains.places if one.standing} <= {
        "pixel.events", "tracking.events", "message.reports", "effects.outcomes", "event.fates"
    }  # fmt: skip
    assert all(one.until for one in remains.places if one.standing)
    assert not remains.complete
    lived.compacted = True
    assert (await lived.look(emails=ANA["email"]))[1].complete
    assert (lived.both.hellotext.profiles, lived.both.infobip.persons) == ({}, {})
    assert lived.cells() == before
    assert lived.latest(topics.PRIVACY_REQUESTS) == {}


async def test_the_order_stays_without_its_buyer_and_explained(lived):
    """Its money is explained as before, by a touch that names no message and no session."""
    key = topics.ATTRIBUTIONS.key("acme", "1415")
    before = lived.latest(topics.ATTRIBUTIONS)[key]
    assert before["explanation"] == "campaign"

    await lived.forget(customers=C)

    order = lived.latest(topics.VTEX_ORDERS)[topics.VTEX_ORDERS.key("acme", "1415")]
    after = lived.latest(topics.ATTRIBUTIONS)[key]
    assert not {"email_hash", "phone_hash", "user_profile_id"} & order.keys()
    assert (after["campaign"], after["amount"], after["rule"]) == (before["campaign"], 10_000, before["rule"])
    assert (after["winner"]["session"], after["winner"]["message"]) == (None, None)


async def test_a_refund_after_it_still_corrects_the_figures(lived):
    """The order is read again with its buyer: the money changes, nothing else comes back."""
    await lived.forget(emails=ANA["email"])
    lived.shard.now += 60_000
    lived.order(status="canceled", email=ANA["email"], phone=ANA["phone"])
    await lived.settle()

    total = lived.cells()[topics.KPI_CAMPAIGNS.key("acme", "offer", "total", "all", "BRL")]
    _, remains = await lived.look(emails=ANA["email"])
    assert (total["conversions"], total["net"]) == (0, 0)
    assert total["visitors"] == 1
    assert remains.erased, remains.places


async def test_nothing_brings_them_back(lived):
    """A re-read of VTEX, the same under another document, a deletion, pages, identities, messages: all are left out."""
    before = lived.cells()
    await lived.forget(emails=ANA["email"])
    fates = lived.shard.fates()
    calls = len(lived.both.hellotext.requests)

    lived.customer(day=2, email=ANA["email"], home_phone=ANA["phone"], first_name="Anna")
    lived.customer("another-document", day=2, email="ANA@shop.example")
    lived.put(topics.VTEX_CHANGES, C, lived.envelope(CUSTOMER_DELETED, {"customer_id": C, "read_by": "scan"}))
    lived.page()
    lived.page("a-new-session", **lived.hashes(email=ANA["email"]))
    lived.identify("a-new-session", email=ANA["email"])
    lived.message("offer.m2")
    await lived.settle()

    _, remains = await lived.look(emails=ANA["email"])
    assert remains.erased, remains.places
    assert lived.latest(topics.VTEX_CUSTOMERS) == {}
    assert len(lived.both.hellotext.requests) == calls
    assert lived.cells() == before
    after = lived.shard.fates()
    assert after["filtered"] - fates["filtered"] == 8 + 3  # and the tombstones that took them out of vtex.changes


async def test_a_late_report_counts_and_tells_of_nobody(lived):
    """What becomes of a message that was sent stays a figure."""
    await lived.forget(phones=ANA["phone"])
    lived.shard.now += 60_000
    lived.report(status="seen")
    await lived.settle()

    total = lived.cells()[topics.KPI_CAMPAIGNS.key("acme", "offer", "total", "all", "BRL")]
    _, remains = await lived.look(phones=ANA["phone"])
    assert (total["seen"], total["delivered"], total["visitors"]) == (1, 1, 1)
    assert remains.erased, remains.places


async def test_others_stay_as_they_are(lived):
    """A family's phone, a shared browser: whoever else stands there keeps what is theirs."""
    lived.customer("bob", email="bob@shop.example", home_phone=ANA["phone"], first_name="Bob")
    lived.identify("kiosk", email="bob@shop.example")
    lived.identify("kiosk", email=ANA["email"])
    await lived.settle()
    bob = lived.hashes(email="bob@shop.example", phone=ANA["phone"])

    traces, remains = await lived.forget(emails=ANA["email"])

    assert "kiosk" not in traces.sessions
    assert bob["phone_hash"] not in traces.hashes
    assert remains.erased, remains.places
    row = lived.latest(topics.VTEX_CUSTOMERS)[topics.VTEX_CUSTOMERS.key("acme", "bob")]
    assert (row["email"], row["phone_hash"]) == ("bob@shop.example", bob["phone_hash"])
    assert [profile["email[primary]"] for profile in lived.both.hellotext.profiles.values()] == ["bob@shop.example"]
    lived.customer("bob", day=3, email="bob@shop.example", home_phone=ANA["phone"], first_name="Robert")
    await lived.settle()
    assert lived.latest(topics.VTEX_CUSTOMERS)[topics.VTEX_CUSTOMERS.key("acme", "bob")]["first_name"] == "Robert"


async def test_what_somebody_else_once_had_is_forgotten(lived):
    """Bob was entered under Ana's address and id, and corrected later: that he once had them goes with them."""
    lived.customer("bob", day=2, email=ANA["email"], user_id=U, first_name="Bob")
    lived.customer("bob", day=3, email="bob@shop.example", user_id="user-bob", first_name="Bob")
    await lived.settle()

    _, remains = await lived.forget(emails=ANA["email"])

    assert remains.erased, remains.places
    assert lived.latest(topics.VTEX_CUSTOMERS)[topics.VTEX_CUSTOMERS.key("acme", "bob")]["email"] == "bob@shop.example"


async def test_an_order_under_an_address_of_long_ago_keeps_its_explanation(house):
    """Only its phone is known to be hers today: it loses its buyer as her other orders do, and the figures stand."""
    house.customer(email="ana.before@shop.example", home_phone=ANA["phone"])
    house.report()
    house.order("1416", user=None, email="ana.before@shop.example", phone=ANA["phone"])
    house.customer(day=2, email=ANA["email"], home_phone=ANA["phone"])
    await house.settle()
    before, key = house.cells(), topics.ATTRIBUTIONS.key("acme", "1416")
    assert house.latest(topics.ATTRIBUTIONS)[key]["rule"] == "delivery"

    _, remains = await house.forget(emails=ANA["email"])

    assert remains.erased, remains.places
    assert house.cells() == before
    after = house.latest(topics.ATTRIBUTIONS)[key]
    assert (after["rule"], after["winner"]["message"]) == ("delivery", None)


async def test_no_link_makes_its_visitors_unforgettable(house):
    """A link's campaign may hold anything, also what joins the keys of tables."""
    house.page(page={"url": "https://shop/?utm_source=hellotext&utm_campaign=of%1Ffer%00"})
    house.page(
        "other\x1fsession", utm={"source": "hellotext", "campaign": "of\x1ffer"}, **house.hashes(email=ANA["email"])
    )
    house.identify(email=ANA["email"])
    await house.settle()
    before = house.cells()

    _, remains = await house.forget(emails=ANA["email"])

    assert remains.erased, remains.places
    assert house.cells() == before
    assert {key.split(b"/")[1] for key in before} == {b"of fer"}


async def test_dead_letters_that_carry_them_go(lived):
    """Whatever a letter holds, and in whatever form VTEX wrote it."""
    data = {"customer_id": "", "home_phone": "11 98765 4321", "source_version": "x", "read_by": "scan"}
    lived.put(topics.VTEX_CHANGES, "broken", lived.envelope("vtex.customer.changed", data))
    lived.put(topics.PIXEL_IDENTITIES, "odd", orjson.dumps({"store": "acme", "email": ANA["email"]}))
    await lived.settle()
    assert len(lived.latest(topics.DEAD_LETTERS)) == 2

    _, remains = await lived.forget(customers=C)

    assert lived.latest(topics.DEAD_LETTERS) == {}
    assert remains.erased, remains.places


async def test_calls_that_wait_are_taken_back(lived):
    """Events with values and messages leave the outbox; what was under way about the profile ends, then is erased."""
    lived.both.hellotext.answers(429, headers={"retry-after": "60"})
    lived.page(action="order.placed", order="77", **lived.hashes(customer=C))
    lived.message("offer.m3")
    lived.customer(day=4, email=ANA["email"], first_name="Anna", user_id=U)
    await lived.shard.settle()
    await lived.calls.once()
    assert len(lived.shard.effects()) >= 2

    traces, remains = await lived.look(emails=ANA["email"])
    await lived.ask(traces, remains)
    await lived.shard.settle()
    kinds = {effect.kind for effect in lived.shard.effects()}

    assert kinds <= {"hellotext.profile", "infobip.person", "hellotext.forget", "infobip.forget"}
    lived.both.hellotext.heals()
    await lived.settle()
    _, remains = await lived.forget(emails=ANA["email"])
    assert remains.erased, remains.places
    assert lived.both.hellotext.profiles == {}


async def test_a_message_that_was_not_begun_is_reported_as_failed(lived):
    """Whoever asked for it waits for its end."""
    lived.message("offer.m3")
    await lived.shard.settle()

    traces, remains = await lived.look(emails=ANA["email"])
    await lived.ask(traces, remains)
    await lived.shard.settle()

    key = topics.MESSAGE_REPORTS.key("acme", "offer.m3")
    [told] = [orjson.loads(value)["data"] for at, value in lived.shard.outputs(topics.MESSAGE_REPORTS) if at == key]
    assert (told["status"], told["error"]) == ("failed", "forgotten")
    assert told.get("recipient") is None


async def test_a_refusal_to_erase_is_told(lived):
    """The vendor says no: a dead letter says so, and it is not called erased."""
    lived.both.hellotext.answers(422, only="DELETE", json={"errors": [{"type": "not_allowed"}]})

    _, remains = await lived.forget(emails=ANA["email"])

    assert not remains.erased
    assert [reason for _, reason in remains.refusals] == ["Hellotext answered 422: not_allowed"]
    assert lived.both.infobip.persons == {}
    [(key, letter)] = lived.latest(topics.DEAD_LETTERS).items()
    assert obstacle(DeadLetter.model_validate(letter)) is None
    # Erased there by hand, the letter is redriven: back where it stood, and gone.
    lived.put(topics.VTEX_CUSTOMERS, C, None)
    lived.redriven(key)
    await lived.settle()
    assert (await lived.look(emails=ANA["email"]))[1].erased


async def test_a_vendor_without_that_call_is_not_believed(lived):
    """It answers 404 and has the profile all the same."""
    lived.both.hellotext.answers(404, only="DELETE", json={})

    _, remains = await lived.forget(emails=ANA["email"])

    assert not remains.erased
    assert "still there" in remains.refusals[0][1]


async def test_whoever_comes_back_is_lifted_by_any_identifier(lived):
    """All hashes of the person leave the list together; then the shop's customer counts again."""
    await lived.forget(emails=ANA["email"])
    traces = lived.traces(phones=ANA["phone"])
    row = {"store": "acme", "request": "r2", "action": "lift", "hashes": traces.hashes,
           "requested_at": "2027-01-01T00:00:00Z"}  # fmt: skip
    lived.put(topics.PRIVACY_REQUESTS, "r2/0", orjson.dumps(row))
    await lived.settle()
    assert lived.latest(topics.PRIVACY_SUPPRESSIONS) == {}

    lived.customer(day=5, email=ANA["email"], first_name="Ana")
    await lived.settle()

    assert [row["email"] for row in lived.latest(topics.VTEX_CUSTOMERS).values()] == [ANA["email"]]
    assert len(lived.both.hellotext.profiles) == 1


async def test_once_or_twice_is_the_same(lived):
    """A request done again after a crash changes nothing."""
    traces, remains = await lived.look(emails=ANA["email"])
    await lived.ask(traces, remains)
    await lived.settle()
    first = (lived.cells(), lived.latest(topics.ATTRIBUTIONS), lived.latest(topics.VTEX_ORDERS))
    await lived.ask(traces, remains)
    await lived.settle()

    assert (lived.cells(), lived.latest(topics.ATTRIBUTIONS), lived.latest(topics.VTEX_ORDERS)) == first


async def test_a_request_cannot_reach_another_store(house):
    """Nor topics without tombstones: it is dead-lettered, and nothing of it is done."""
    for rows, records in (({"customers": ["bela/c1"]}, {}), ({}, {"pixel.events": ["acme/S1"]})):
        row = {"store": "acme", "request": "r", "rows": rows, "records": records,
               "requested_at": "2027-01-01T00:00:00Z", "hashes": {"0" * 64: "email"}}  # fmt: skip
        house.put(topics.PRIVACY_REQUESTS, f"r/{len(rows)}", orjson.dumps(row))
    await house.settle()

    assert {letter["step"] for letter in house.shard.dead_letters()} == {"privacy"}
    assert house.latest(topics.PRIVACY_SUPPRESSIONS) == {}


class CrashError(Exception):
    """The worker is gone."""


class CrashAt:
    """Crashes once, at a point of the next transaction after it was armed."""

    def __init__(self):
        self.point = None

    def reached(self, point, shard):
        if point == self.point:
            self.point = None
            raise CrashError


@pytest.mark.parametrize("point", ["staged", "committed", "applied"])
async def test_a_crash_inside_the_erasure_changes_nothing_of_its_result(lived, point):
    """It has happened whole, or it has not: the worker's next life ends where an undisturbed one does."""
    crash = lived.shard._milestones = CrashAt()
    traces, remains = await lived.look(emails=ANA["email"])
    await lived.ask(traces, remains)
    crash.point = point
    with pytest.raises(CrashError):
        await lived.shard.settle()
    suppressed = len(lived.latest(topics.PRIVACY_SUPPRESSIONS))
    assert suppressed == (0 if point == "staged" else len(traces.hashes))
    lived.shard.restart()
    await lived.settle()

    _, remains = await lived.look(emails=ANA["email"])
    assert remains.erased, remains.places
    assert lived.both.hellotext.profiles == {}


@pytest.mark.parametrize(
    "asked", [{"emails": ANA["email"]}, {"phones": "(11) 98765-4321"}, {"customers": C.upper()}, {"sessions": S}]
)
async def test_any_identifier_finds_the_same_person(lived, asked):
    """Whatever somebody tells of themselves, it is the same erasure."""
    traces, remains = await lived.look(**asked)

    assert (traces.customers, traces.users, traces.sessions, traces.orders) == ({C}, {U}, {S}, {"1415"})
    assert traces.values == {ANA["email"], ANA["phone"]}
    assert set(traces.hashes.values()) == {"email", "phone", "customer", "session"}
    assert remains.records.keys() >= {"vtex.changes", "vtex.customers", "pixel.identities", "message.requests"}


async def test_what_somebody_else_wrote_does_not_make_it_theirs(lived):
    """An address in another customer's field, a longer address that begins alike: neither is erased."""
    lived.customer("bob", email="bob@shop.example", custom={"recommended_by": ANA["email"]}, first_name="Bob")
    lived.customer("eva", email=f"x{ANA['email']}", first_name="Eva")
    lived.customer("ivo", email=f"{ANA['email']}.br", first_name="Ivo")
    lived.identify("another", email=f"{ANA['email']}.br")
    await lived.settle()

    await lived.forget(emails=ANA["email"])

    assert {row["customer"] for row in lived.latest(topics.VTEX_CUSTOMERS).values()} == {"bob", "eva", "ivo"}
    assert topics.PIXEL_IDENTITIES.key("acme", "another") in lived.latest(topics.PIXEL_IDENTITIES)
    assert len(lived.both.hellotext.profiles) == 3


async def test_a_page_may_say_anything(lived):
    """Her mother's address, typed into her checkout, forgets no mother; an address of nobody else's is hers."""
    lived.customer("mum", email="mum@shop.example", first_name="Mum", user_id="user-mum")
    lived.identify("s2", customer=C, email="mum@shop.example")
    lived.identify("s3", customer=C, email="her.other@shop.example")
    lived.order("88", user=U, email="mum@shop.example")
    await lived.settle()

    traces, remains = await lived.forget(emails=ANA["email"])

    hers, mums = (lived.hashes(email=f"{name}@shop.example")["email_hash"] for name in ("her.other", "mum"))
    assert (traces.customers, traces.sessions, traces.orders) == ({C}, {S, "s3"}, {"1415", "88"})
    assert (hers in traces.hashes, mums in traces.hashes) == (True, False)
    assert remains.erased, remains.places
    assert [row["email"] for row in lived.latest(topics.VTEX_CUSTOMERS).values()] == ["mum@shop.example"]
    assert topics.PIXEL_IDENTITIES.key("acme", "s2") not in lived.latest(topics.PIXEL_IDENTITIES)


async def test_a_stranger_is_suppressed_all_the_same(house):
    """Nothing stands of them, and nothing will."""
    await house.forget(emails="new@shop.example")
    house.customer("n1", email="new@shop.example")
    await house.settle()

    assert house.latest(topics.VTEX_CUSTOMERS) == {}
    assert house.shard.fates()["filtered"] >= 1


async def test_guests_whom_only_orders_know_are_found(house):
    """A buyer without a document is a provisional customer; the order stays without them."""
    house.order("77", user=None, email="guest@shop.example")
    await house.settle()
    assert len(house.both.hellotext.profiles) == 1

    traces, remains = await house.forget(emails="guest@shop.example")

    assert (len(traces.customers), traces.orders, remains.erased) == (1, {"77"}, True)
    assert house.both.hellotext.profiles == {}
    assert "email_hash" not in house.latest(topics.VTEX_ORDERS)[topics.VTEX_ORDERS.key("acme", "77")]


async def test_a_large_request_comes_in_parts(lived, monkeypatch):
    """Each complete in itself, done one after another."""
    monkeypatch.setattr("connectors.privacy.forgetting.PART", 3)
    traces, remains = await lived.look(emails=ANA["email"])
    await lived.ask(traces, remains)
    assert len(lived.latest(topics.PRIVACY_REQUESTS)) > 3
    await lived.settle()

    assert (await lived.look(emails=ANA["email"]))[1].erased
    assert lived.latest(topics.PRIVACY_REQUESTS) == {}
