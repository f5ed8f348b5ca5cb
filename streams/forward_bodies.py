"""From an event as we keep it back to what a page would have sent to Hellotext (contracts/hellotext A3). Pure.

In `tracking.events` hashes stand for personal values; the values themselves come from `pixel.identities`, by the
event's id. `tracked_at` is always set: the event is passed on later than it happened.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

Data = Mapping[str, Any]
Body = dict[str, Any]

_PAGE: Final = ("url", "title", "path")
_UTM: Final = ("source", "medium", "campaign", "term", "content", "observed_at")
_PERSON: Final = ("email", "phone", "name", "document", "source")
_NAMES: Final = {"first_name": "firstName", "last_name": "lastName"}
# What the body has at its top level by itself; parameters of the same name would override it.
_OWN: Final = frozenset(("session", "action", "user_parameters", "page", "utm_params", "tracked_at", "currency"))


def event_body(data: Data, user: Body) -> Body:
    """Return the body of `POST /track/events`.

    Args:
        data: a `TrackingEvent`.
        user: `user_parameters`; empty when nothing is known.
    """
    body = {key: value for key, value in (data.get("parameters") or {}).items() if key not in _OWN}
    body |= {name: data[name] for name in ("session", "action") if data.get(name)}
    body |= {name: data[name] for name in ("object", "object_type") if data.get(name) and name not in body}
    amount = _number(data.get("amount"))
    if amount is not None:
        body["amount"] = amount
        if data.get("currency"):  # refused without an amount (B3)
            body["currency"] = data["currency"]
    body["page"] = _some(data.get("page"), _PAGE)
    body["utm_params"] = _some(data.get("utm"), _UTM)
    body["user_parameters"] = user
    body["tracked_at"] = data["at"]
    return body


def acknowledgement_body(data: Data) -> Body:
    """Return the body of `POST /public/acks`."""
    body: Body = {"utm_params": _some(data.get("utm"), _UTM), "at": data["at"]}
    if data.get("session"):
        body["session"] = data["session"]
    return body


def identification_body(data: Data, said: Data) -> Body:
    """Return the body of `POST /public/identifications`.

    Args:
        data: the `TrackingEvent`.
        said: the `Identification` with the values.
    """
    body = person(said)
    if said.get("customer"):
        body["user_id"] = said["customer"]
    if data.get("session"):
        body["session"] = data["session"]
    return body


def user_parameters(said: Data) -> Body:
    """Return what an event says of its visitor, from the values that came with it."""
    body = person(said)
    if said.get("customer"):
        body["id"] = said["customer"]
    return body


def person(said: Data) -> Body:
    """Return the values of an identification under the names that its sender gave them.

    The checkout helper, whose source is `vtex`, writes `firstName` (NOTES 2.4); everybody else `first_name`.
    """
    body: Body = dict(said.get("other") or {})
    body |= _some(said, _PERSON)
    for ours, theirs in _NAMES.items():
        if said.get(ours):
            body[theirs if said.get("source") == "vtex" else ours] = said[ours]
    return body


def _some(values: Data | None, names: tuple[str, ...]) -> Body:
    return {name: values[name] for name in names if values and values.get(name)}


def _number(amount: Any) -> int | float | None:
    if amount is None:
        return None
    try:
        value = Decimal(str(amount))
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() else float(value)
