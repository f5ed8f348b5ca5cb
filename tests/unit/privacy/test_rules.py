"""What of a row is a person's, row by row: theirs goes, everybody else's stays to the letter."""

import pytest

from schemas.privacy import ErasureRequest
from streams import customers, messages
from streams.figures import tables as figures
from streams.journeys import tables as journeys
from streams.privacy_rules.person import Person
from streams.privacy_rules.tables import RULES, renamed_visitor

HA, HB = "a" * 64, "b" * 64
ANA = Person(
    ErasureRequest(
        request="r",
        store="acme",
        requested_at="2027-01-15T00:00:00.000Z",
        hashes={HA: "email"},
        customers=["ca"],
        users=["ua"],
        sessions=["sa"],
        orders=["oa"],
    )
)


def touch(session, message="m1"):
    """Return a touch of a session."""
    return ["click", 7, "camp", message, session, "landing", "2027-01-15"]


def left(table, name, row):
    """Return what stays of a row."""
    return RULES[table.name](name, row, ANA)


ORDER = {
    "v": {"amount": 1, "hashes": {HA: "e", HB: "p"}},
    "kept": {"t": {HA: "e", HB: "e"}, "l": [touch("sa"), touch("sb")]},
}


class TestOrders:
    """The facts of an order, of VTEX and of the session evidence kept for it."""

    def test_of_their_own_nothing_tells_a_buyer(self):
        """Not the message that explains it either; campaign and time stay counted."""
        assert left(journeys.ORDERS, "oa", ORDER) == {
            "v": {"amount": 1, "hashes": {}},
            "kept": {"t": {}, "l": [touch(None, None), touch(None, None)]},
        }

    def test_of_somebody_elses_only_they_go(self):
        """A shared e-mail, a session at a friend's: the friend's order stays explained."""
        assert left(journeys.ORDERS, "ob", ORDER) == {
            "v": {"amount": 1, "hashes": {HB: "p"}},
            "kept": {"t": {HB: "e"}, "l": [touch(None, None), touch("sb")]},
        }


@pytest.mark.parametrize(
    ("table", "name", "row", "stays"),
    [
        (customers.CUSTOMERS, "ca", {"x": 1}, None),
        (customers.CUSTOMERS, "cb", {"x": 1}, {"x": 1}),
        (customers.LINKS, f"email/{HA}", [["cb", "ub"]], None),
        (customers.LINKS, "user/ua", [["cb", "ub"]], None),
        (customers.LINKS, f"email/{HB}", [["ca", "ua"]], None),
        (customers.LINKS, f"email/{HB}", [["ca", "ua"], ["cb", "ub"]], [["cb", "ub"]]),
        (messages.SENT, "m", {"recipient": HA, "at": 1}, {"recipient": None, "at": 1}),
        (messages.SENT, "m", {"recipient": HB, "at": 1}, {"recipient": HB, "at": 1}),
        (journeys.SESSIONS, "sa", {"t": {HB: "e"}}, None),
        (journeys.SESSIONS, "sb", {"t": {HA: "e"}, "c": ["x"]}, {"t": {}, "c": ["x"]}),
        (journeys.SESSIONS, "sb", {"c": ["x"]}, {"c": ["x"]}),
        (journeys.LANDINGS, "sa\x1fcamp", {"s": 1}, None),
        (journeys.LANDINGS, "sb\x1fcamp", {"s": 1}, {"s": 1}),
        (journeys.CUSTOMERS, "ca", {"v": 1, "h": {HB: "e"}}, None),
        (journeys.CUSTOMERS, "cb", {"v": 1, "h": {HA: "e"}, "was": {HA: "e", HB: "e"}},
         {"v": 1, "h": {}, "was": {HB: "e"}}),
        (journeys.MESSAGES, "m", {"r": HA, "c": "x"}, {"c": "x"}),
        (journeys.MESSAGES, "m", {"r": HB, "c": "x"}, {"r": HB, "c": "x"}),
        (journeys.HASH_SESSIONS, HA, {"sb": 1}, None),
        (journeys.HASH_SESSIONS, HB, {"sa": 1, "sb": 1}, {"sb": 1}),
        (journeys.HASH_CUSTOMERS, HB, ["ca", "cb"], ["cb"]),
        (journeys.HASH_CUSTOMERS, HB, ["ca"], None),
        (journeys.HASH_ORDERS, HB, {"oa": 1, "ob": 2}, {"ob": 2}),
        (journeys.RECIPIENT_DAYS, f"{HA}\x1f20000", ["m"], None),
        (journeys.RECIPIENT_DAYS, f"{HB}\x1f20000", ["m"], ["m"]),
        (journeys.RECIPIENT_CAMPAIGNS, f"{HA}\x1fcamp", ["m"], None),
        (journeys.REFERENCES, "order\x1fx", {"s": {"sa": 1, "sb": 1}, "o": ["x"]}, {"s": {"sb": 1}, "o": ["x"]}),
        (journeys.REFERENCES, "order\x1fx", {"s": {"sa": 1}, "o": ["x"]}, {"o": ["x"]}),
        (journeys.REFERENCES, "order\x1fx", {"s": {"sa": 1}}, None),
        (figures.COUNTED_MESSAGES, "m", {"k": [HA, HB]}, {"k": [None, HB]}),
        (figures.COUNTED_LANDINGS, "sa\x1fcamp", {"v": "s:sa"}, None),
        (figures.COUNTED_LANDINGS, "sb\x1fcamp", {"v": "c:cb"}, {"v": "c:cb"}),
    ],
)  # fmt: skip
def test_what_stays_of_a_row(table, name, row, stays):
    """Theirs goes, and what names them in another one's row."""
    assert left(table, name, row) == stays


def test_visitors_stay_counted_under_a_name_that_says_nothing():
    """In a message's row, in what the store's day holds of it, and in the name of a counter; others keep theirs."""
    alias = ANA.visitor("c:ca")
    row = {"v": {"c:ca": 2, "c:cb": 1}, "s": {"v": {"s:sa": 1, f"h:{HB}": 1}}}

    assert left(figures.COUNTED_MESSAGES, "m", row) == {
        "v": {alias: 2, "c:cb": 1}, "s": {"v": {ANA.visitor("s:sa"): 1, f"h:{HB}": 1}},
    }  # fmt: skip
    assert alias.startswith("f:")
    assert alias != ANA.visitor("s:sa")
    assert renamed_visitor("camp\x1f2027-01-15\x1fc:ca", ANA) == f"camp\x1f2027-01-15\x1f{alias}"
    assert renamed_visitor("camp\x1f2027-01-15\x1fc:cb", ANA) == "camp\x1f2027-01-15\x1fc:cb"
    assert [ANA.visitor(name) for name in (f"c:{HA}", "h:ca", "s:ca", "x:ca")] == [f"c:{HA}", "h:ca", "s:ca", "x:ca"]
