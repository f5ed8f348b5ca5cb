"""Told again is counted once; told otherwise is not lost (issue 7, item 3)."""

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.tracking_rules.seen import ORDERS
from tests.unit.tracking.conftest import NOW, told

SECOND, DAY = 1_000, 86_400_000
ORDER = {"object_parameters": {"reference": "1415461749731"}}


class TestOneEvent:
    async def test_the_same_record_twice_is_one_event(self, agent, page):
        """The collector's spool may deliver a record that Kafka had taken already."""
        record = page()
        await agent.feed(record, record)
        await agent.feed(record, at=NOW + 23 * 3_600_000)

        assert len(agent.events) == 1
        assert agent.shard.fates() == {"counted": 1, "duplicate": 2}

    @pytest.mark.parametrize("session", ["S1", None])
    async def test_our_ids_are_known_for_a_day(self, agent, page, session):
        """With a session by their content, without one by the id itself."""
        record = page(session=session)
        await agent.feed(record)
        await agent.feed(record, at=NOW + DAY - 1)
        await agent.feed(record, at=NOW + DAY)

        assert agent.shard.fates() == {"counted": 2, "duplicate": 1}

    async def test_a_page_view_is_repeated_later_and_still_one_each(self, agent, page):
        """Views of one page a minute apart are two; repeating both records, in any order, adds none."""
        first, second = page(), page(received=NOW + 60 * SECOND)
        await agent.feed(first, second)
        await agent.feed(second, first)

        assert agent.shard.fates() == {"counted": 2, "duplicate": 2}

    async def test_survives_a_restart(self, agent, page):
        """What is known stands in the changelogs."""
        records = [page(), page(event_id="e-1"), page("order.placed", object="o-1")]
        await agent.feed(*records)
        agent.shard.restart()
        await agent.feed(*records)

        assert agent.shard.fates() == {"counted": 3, "duplicate": 3}


class TestSendersIds:
    async def test_are_known_for_seven_days(self, agent, page):
        """A shop's back end may repeat until it hears 200."""
        record = page(event_id="refund-77")
        await agent.feed(record)
        await agent.feed(record, at=NOW + 7 * DAY - 1)
        await agent.feed(record, at=NOW + 7 * DAY)

        assert agent.shard.fates() == {"counted": 2, "duplicate": 1}

    async def test_a_later_attempt_differs_in_circumstances_only(self, agent, page):
        """The browser tries again with a time, from another network, and with consent given meanwhile."""
        await agent.feed(page(event_id="e-1"))
        again = {"session": "S1", "action": "page.viewed", "page": {"url": "https://shop.example/", "path": "/"}}
        late = told(
            {**again, "event_id": "e-1", "tracked_at": (NOW - 60_000) // 1000, "consent": "granted"},
            received=NOW + 3_600_000,
            network="198.51.100.0/24",
        )
        await agent.feed(late)

        assert agent.shard.fates() == {"counted": 1, "duplicate": 1}

    async def test_another_body_under_the_same_id_is_kept_as_a_conflict(self, agent, page):
        """Nothing is dropped in silence: the second stands in dead.letters with its bytes."""
        other = page("cart.added", event_id="e-1", object="P2")
        await agent.feed(page("cart.added", event_id="e-1", object="P1"))
        await agent.feed(other)
        await agent.feed(page("cart.added", event_id="e-1", object="P1"))

        (letter,) = agent.shard.dead_letters()
        assert (letter["reason"], letter["step"], letter["store"]) == ("conflict", "tracking", "acme")
        assert agent.shard.fates() == {"counted": 1, "dead": 1, "duplicate": 1}

    async def test_ids_belong_to_their_store(self, agent, page):
        """A store's id says nothing about another store's."""
        agent.connect("globex")
        body = {"session": "S1", "action": "page.viewed", "event_id": "e-1"}
        await agent.feed(told(body), told(body, store="globex"))

        assert {envelope["store"] for envelope in agent.envelopes} == {"acme", "globex"}

    async def test_a_long_id_is_an_id(self, agent, page):
        """Whatever the sender takes as its id."""
        await agent.feed(page(event_id="x" * 500), page(event_id="x" * 500), page("a.b", event_id="x" * 499))

        assert agent.shard.fates() == {"counted": 2, "duplicate": 1}


class TestDoubleFiredTags:
    @pytest.mark.parametrize(
        ("action", "apart", "kept"),
        [
            ("page.viewed", 0, 1), ("page.viewed", 40, 1), ("page.viewed", 1_999, 1), ("page.viewed", 2_000, 2),
            ("search.performed", 1_999, 1), ("product.viewed", 60_000, 2),
            ("cart.added", 0, 1), ("cart.added", 999, 1), ("cart.added", 1_000, 2), ("coupon.redeemed", 1_000, 2),
        ],
    )  # fmt: skip
    async def test_the_same_within_a_moment_is_one(self, make_agent, page, action, apart, kept):
        """Two seconds of looking, one of doing; whichever comes first, wherever in its second it falls."""
        for offset in (0, 777, 58_700, 59_999):
            pair = [page(action, received=NOW + offset), page(action, received=NOW + offset + apart)]
            for order in (pair, pair[::-1]):
                agent = make_agent()
                await agent.feed(*order)

                assert len(agent.events) == kept

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        st.lists(st.integers(0, 125_000), max_size=12), st.sampled_from((("page.viewed", 2_000), ("cart.added", 1_000)))
    )
    async def test_whatever_the_times(self, make_agent, page, times, rule):
        """An event is kept when none that was kept is a moment away: also across minutes, also out of order."""
        action, window = rule
        agent, kept = make_agent(), []
        for time in times:
            if all(abs(time - other) >= window for other in kept):
                kept.append(time)
        await agent.feed(*(page(action, received=NOW + time) for time in times))

        assert len(agent.events) == len(kept)

    async def test_two_ids_are_two_events_whatever_they_say(self, agent, page):
        """Their sender says that they are two, and each of them is told once."""
        await agent.feed(page(event_id="a"), page(event_id="b"), page(event_id="b"))

        assert agent.shard.fates() == {"counted": 2, "duplicate": 1}

    @pytest.mark.parametrize(
        "other",
        [
            {"object_parameters": {"items": [{"product": "P1", "quantity": 2}]}},
            {"page": {"url": "https://shop.example/other"}},
            {"session": "S2"},
            {"amount": 5},
        ],
    )
    async def test_what_differs_is_another_event(self, agent, page, other):
        """Two cart.added with another quantity, page, session or amount are two."""
        same = {"object_parameters": {"items": [{"product": "P1", "quantity": 1}]}}
        await agent.feed(page("cart.added", **same), page("cart.added", **{**same, **other}))

        assert len(agent.events) == 2

    async def test_visitors_without_a_session_are_not_taken_for_one(self, agent, page):
        """Two people behind one address may open one page in one second."""
        await agent.feed(page(session=None), page(session=None))

        assert len(agent.events) == 2

    async def test_a_back_end_means_what_it_says(self, agent):
        """Two equal sales a second apart are two sales."""
        body = {"session": "S1", "action": "coupon.redeemed", "object": "C1"}
        await agent.feed(told(body, server=True), told(body, server=True))

        assert len(agent.events) == 2

    async def test_a_back_ends_ids_are_never_compared_by_content(self, agent):
        """Two refunds of one amount in one moment are two, each told as often as it takes."""
        body = {"session": "S1", "action": "refund.received", "amount": 10}
        first, second = ({**body, "event_id": name} for name in ("r-1", "r-2"))
        await agent.feed(*(told(one, server=True) for one in (first, second, first)))

        assert agent.shard.fates() == {"counted": 2, "duplicate": 1}

    async def test_what_waited_offline_keeps_its_times(self, agent, page):
        """Two views of a page, ten minutes apart, sent together when the connection is back."""
        await agent.feed(*(page(tracked_at=(NOW - minutes * 60_000) / 1000) for minutes in (20, 10)))

        assert len(agent.events) == 2


class TestNaturalKeys:
    async def test_an_order_is_placed_once_for_ever(self, agent, page):
        """The page tells it again on every reload, with other circumstances and no id."""
        await agent.feed(page("order.placed", amount=10, currency="BRL", **ORDER))
        await agent.feed(
            page("order.placed", amount=10, currency="BRL", metadata={"x": 1}, received=NOW + 400 * DAY, **ORDER),
            at=NOW + 400 * DAY,
        )

        assert agent.shard.fates() == {"counted": 1, "duplicate": 1}

    async def test_each_action_and_each_order_has_its_own(self, agent, page):
        """Placed, confirmed and cancelled are three facts; so are two orders."""
        await agent.feed(
            *(page(f"order.{action}", object="o-1") for action in ("placed", "confirmed", "cancelled")),
            page("order.placed", object="o-2"),
        )

        assert len(agent.events) == 4

    async def test_an_action_of_the_shops_own_is_an_ordinary_event(self, agent, page):
        """`order.viewed` may happen as often as it likes."""
        await agent.feed(*(page("order.viewed", object="o-1", received=NOW + n * 60_000) for n in range(3)))

        assert len(agent.events) == 3

    async def test_a_new_session_or_person_is_passed_on_as_a_supplement(self, agent, page):
        """The back end told the order first; only the page knows the session, and only it names the buyer."""
        await agent.feed(told({"action": "order.placed", "object": "o-1"}, server=True))
        await agent.feed(page("order.placed", object="o-1"))
        await agent.feed(page("order.placed", object="o-1", user_parameters={"email": "ana@example.com"}))
        await agent.feed(page("order.placed", object="o-1"), told({"action": "order.placed", "object": "o-1"}))

        assert [event.get("supplement", False) for event in agent.events] == [False, True, True]
        assert agent.shard.fates() == {"counted": 3, "duplicate": 2}

    async def test_who_bought_is_evidence_of_the_session_that_told_it(self, agent, page):
        """Two browsers, two people: that the first browser tells the second person is known from this event only."""
        ana, eve = ({"user_parameters": {"email": f"{name}@example.com"}} for name in ("ana", "eve"))
        await agent.feed(page("order.placed", object="o-1", session="S1", **ana))
        await agent.feed(page("order.placed", object="o-1", session="S2", **eve))
        await agent.feed(page("order.placed", object="o-1", session="S1", **eve))
        await agent.feed(page("order.placed", object="o-1", session="S2", **eve))

        assert agent.shard.fates() == {"counted": 3, "duplicate": 1}

    async def test_the_earliest_amount_is_told_whichever_came_first(self, agent, page):
        """An order's stand-in is its earliest event with an amount (docs/kpis.md)."""
        await agent.feed(page("order.placed", object="o-1"))
        await agent.feed(page("order.placed", object="o-1", amount=10, currency="BRL"))
        await agent.feed(page("order.placed", object="o-1", amount=9, currency="BRL", received=NOW - 1))
        await agent.feed(page("order.placed", object="o-1", amount=8, currency="BRL", received=NOW + 1))

        assert [event.get("amount_minor") for event in agent.events] == [None, 1000, 900]

    async def test_of_one_moment_the_smallest_amount_is_told_whichever_came_first(self, agent, page):
        """Page and back end tell one time in whole seconds, one with freight, one without; repetitions add nothing."""
        told = [page("order.placed", object="o-1", amount=amount, currency="BRL") for amount in (10, 9, 11, 10, 9)]
        await agent.feed(*told)

        assert [event.get("amount_minor") for event in agent.events] == [1000, 900]

    async def test_a_checkout_is_started_once_for_an_order_form(self, agent, page):
        """vtex-checkout tells it at every change of the order form until it hears 200 (A6.8)."""
        changes = [{"reference": "form-1", "amount": amount} for amount in (100, 200, 300)]
        await agent.feed(*(page("checkout.started", object_parameters=change) for change in changes))
        await agent.feed(page("checkout.started", order_form="form-2"))

        assert [event["order_form"] for event in agent.events] == ["form-1", "form-2"]

    async def test_the_same_id_for_another_order_is_a_conflict(self, agent, page):
        """As it is for another amount of one order; for another page view of it, it is not."""
        await agent.feed(page("order.placed", event_id="e", object="o-1", amount=10, currency="BRL"))
        await agent.feed(
            page("order.placed", event_id="e", object="o-1", amount=10, currency="BRL", metadata={"reload": 1}),
            page("order.placed", event_id="e", object="o-1", amount=12, currency="BRL"),
            page("order.placed", event_id="e", object="o-2", amount=10, currency="BRL"),
        )

        assert agent.shard.fates() == {"counted": 1, "duplicate": 1, "dead": 2}
        assert {letter["reason"] for letter in agent.shard.dead_letters()} == {"conflict"}

    async def test_a_forgers_list_does_not_grow(self, agent, page):
        """However many sessions claim an order, its row stays small."""
        await agent.feed(*(page("order.placed", object="o-1", session=f"s{n}") for n in range(400)))

        (row,) = agent.shard.table(ORDERS).values()
        assert len(orjson.dumps(row)) < 3_000
        assert agent.shard.fates() == {"counted": 250, "duplicate": 150}
