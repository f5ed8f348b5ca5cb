"""Events that have a natural key: an order is placed once, however often it is told (issue 7, item 3). Pure.

A page tells an order again on each reload, a checkout script and the shop's back end tell it too, each with what it
knows: the order's value, the session, who bought. So an order action that was told before is a duplicate only where it
adds no session, no person and no earlier amount to what the others told: else it is passed on as a supplement, since
each is evidence for attribution, whichever came first. Who bought is evidence of the session that told it: two people
in two sessions are four facts, and any of the four may come last.
"""

from typing import Any, Final, Literal

from schemas.pixel import CHECKOUT_STARTED, HASHES, ORDER_ACTIONS
from streams.tracking_rules.content import digest_of, mark

Verdict = Literal["new", "duplicate", "supplement"]

_VALUED: Final = "@"
_MOST: Final = 250
"""Pieces of evidence for one order: fifty sessions that each told somebody by three hashes, and more; attribution's
own limits (docs/kpis.md, "limits") are reached before."""


def natural_key(data: dict[str, Any]) -> str | None:
    """Return what names the fact for ever: the action and the order, or the order form; None for other events."""
    action = data.get("action")
    if action in ORDER_ACTIONS and data.get("order"):
        return digest_of(action, data["order"])
    if action == CHECKOUT_STARTED and data.get("order_form"):
        return digest_of(action, data["order_form"])
    return None


def substance(data: dict[str, Any]) -> str:
    """Return what may not differ under one id: the fact and, for an order, its amount as it was told."""
    if data["action"] == CHECKOUT_STARTED:
        return digest_of(CHECKOUT_STARTED, data["order_form"])
    return digest_of(data["action"], data["order"], data.get("amount"), data.get("currency"))


def weigh(known: str | None, data: dict[str, Any], at: int) -> tuple[Verdict, str]:
    """Return what an event adds to a fact, and the row to be kept: the marks of the evidence so far.

    An order's stand-in is its earliest event with an amount, of several the smallest (docs/kpis.md): that, too, is
    evidence.

    Args:
        known: the row, or None when the fact is new.
        data: of the event, its origin mended, valued.
        at: Unix milliseconds, when it happened.
    """
    marks = dict.fromkeys(known.split(" ") if known else ())
    added = [one for one in _evidence(data) if one not in marks]
    if "amount_minor" in data and data["action"] != CHECKOUT_STARTED:
        added += _earliest(marks, f"{at}/{data['amount_minor']}/{data['amount_currency']}")
    if known is None:
        return "new", " ".join(added)
    if not added or len(marks) + len(added) > _MOST:
        return "duplicate", known
    return "supplement", " ".join([*marks, *added])


def _evidence(data: dict[str, Any]) -> list[str]:
    """Return the marks of the session that an event tells, and of who bought there."""
    session = data.get("session") or ""
    people = [name[0] + mark(f"{session}/{data[name]}") for name in HASHES if data.get(name)]
    return ["s" + mark(session), *people] if session else people


def _earliest(marks: dict[str, None], told: str) -> list[str]:
    """Put an earlier amount, `at/minor units/currency`, in the place of the one that is marked."""
    valued = next((one for one in marks if one.startswith(_VALUED)), None)
    if valued is not None:
        if _rank(valued.removeprefix(_VALUED)) <= _rank(told):
            return []
        del marks[valued]
    return [f"{_VALUED}{told}"]


def _rank(told: str) -> tuple[int | str, ...]:
    """Return what the smallest comes first by; rows of earlier versions hold the time alone."""
    at, *amount = told.split("/")
    return (int(at), int(amount[0]), amount[1]) if amount else (int(at),)
