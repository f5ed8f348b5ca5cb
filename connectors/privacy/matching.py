"""Which record is a person's. Pure.

A record that is about somebody is read: by its key, or by whom it names, for VTEX writes a phone in any form, and what
somebody else wrote into a field of theirs does not make it this person's. Everything else is searched for identifiers;
dead letters are opened first.
"""

from collections.abc import Callable
from typing import Any, Final

import orjson

from connectors.privacy.reading import Matches, original
from connectors.privacy.traces import Traces
from schemas import topics

_BY_CUSTOMER: Final = (topics.VTEX_CUSTOMERS.name, topics.PROFILES.name, "customers", "profiles.customers")
"""Topics and tables with a row for each customer, under its id."""
_PHONES: Final = ("home_phone", "phone", "cell_phone", "business_phone")
_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError)


def matching(traces: Traces) -> Callable[[str], Matches]:
    """Return what says for a topic or table which of its records are the person's."""
    holds = traces.searcher()

    def anywhere(key: bytes, value: bytes) -> bool:
        return holds(key) or holds(value)

    def by_customer(key: bytes, _: bytes) -> bool:
        return _name(key) in traces.customers

    def read(about: Callable[[Traces, str, Any], bool | None]) -> Matches:
        def matches(key: bytes, value: bytes) -> bool:
            try:
                found = about(traces, _name(key), orjson.loads(value))
            except _UNREADABLE:
                found = None
            return anywhere(key, value) if found is None else found

        return matches

    special: dict[str, Matches] = {
        **dict.fromkeys(_BY_CUSTOMER, by_customer),
        topics.VTEX_CHANGES.name: read(_change),
        topics.PIXEL_IDENTITIES.name: read(_identity),
        topics.MESSAGE_REQUESTS.name: read(_request),
    }

    def letter(key: bytes, value: bytes) -> bool:
        topic, old_key, old_value = original(value)
        return (
            anywhere(key, value)
            or anywhere(old_key, old_value)
            or special.get(topic or "", anywhere)(old_key, old_value)
        )

    special[topics.DEAD_LETTERS.name] = letter
    return lambda name: special.get(name, anywhere)


def _name(key: bytes) -> str:
    return key.partition(b"/")[2].decode("utf-8", "replace")


def _change(traces: Traces, name: str, event: Any) -> bool:
    """Say whether an event of `vtex.changes` is the person's, as the agents customers and orders would."""
    data = event["data"]
    buyer = data.get("buyer")
    if buyer is not None:
        user = buyer.get("user_profile_id")
        told = traces.told_by_values(email=buyer.get("email"), phones=[buyer.get("phone")], ids=[user])
        return traces.strong(told) or bool(traces.weak(told))
    contacts = traces.told_by_values(email=data.get("email"), phones=[data.get(one) for one in _PHONES], ids=())
    ids = traces.told_by_values(email=None, phones=(), ids=[data["customer_id"], data.get("user_id")])
    return name in traces.customers or traces.strong(contacts | ids) or bool(traces.weak(contacts))


def _identity(traces: Traces, _: str, row: Any) -> bool | None:
    """Say whether an identification is the person's; None where it names nobody by a hash."""
    told = traces.told_by(row)
    if traces.strong(told) or traces.weak(told) or row["session"] in traces.sessions:
        return True
    return False if told else None


def _request(traces: Traces, _: str, row: Any) -> bool:
    return bool(traces.weak(traces.told_by_values(email=None, phones=[row["to"]], ids=())))
