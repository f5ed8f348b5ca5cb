"""From the parts of a purchase to its order: state, amounts, and who bought. Pure.

A purchase (VTEX orderGroup) has one order for each seller; they come in any order, each again with every change. The
state is what is known of each part (streams/vtex_rules/known.py), a function of the set of reads:

    parts     orderId -> facts of that part
    version   how often a row was published
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.clock import to_ms, to_text
from schemas.money import from_hundredths
from schemas.personal import normal_customer
from schemas.vtex import OrderRead, OrderState, group_of
from streams.vtex_rules.contacts import Hasher, usable_email, usable_phone
from streams.vtex_rules.known import merge, nothing_known
from streams.vtex_rules.versions import Version

State = dict[str, Any]
Part = dict[str, Any]

BUYER: Final = frozenset({"user_profile_id", "email_hash", "phone_hash"})
"""What a part tells of who bought."""
UNKNOWN_STATUS: Final = "unknown"
"""Of a part whose status VTEX has never told (contracts/vtex NOTES 4.2: it can be null)."""
_CANCELLED: Final = frozenset({"cancel", "canceled", "cancelled"})
_REPLACED: Final = frozenset({"replaced"})
_INVOICED: Final = frozenset({"invoiced"})
_APPROVED: Final = frozenset({
    "payment-approved", "window-to-cancel", "window-to-change-seller", "waiting-ffmt-authorization",
    "authorize-fulfillment", "waiting-seller-handling", "ready-for-handling", "start-handling", "handling",
    "order-accepted", "invoice", "invoice-after-cancellation-deny", "request-cancel", "cancellation-requested",
    "waiting-for-seller-decision",
})  # fmt: skip
"""Paid, or past the point where it would have to be; a cancellation that was only asked for changes nothing yet."""
_PROGRESS: Final[tuple[OrderState, ...]] = ("placed", "approved", "invoiced")
_HALVES: Final = ("marketplace", "chain", "fulfillment")
"""Where both halves of a sale stand in one account, the shop's own is the one that counts (NOTES 4.2, `origin`)."""


def state_of(status: str | None) -> OrderState:
    """Return what a VTEX status means; one that we do not know is an order that was placed."""
    known = (status or "").strip().lower()
    if known in _CANCELLED:
        return "cancelled"
    if known in _REPLACED:
        return "replaced"
    if known in _INVOICED:
        return "invoiced"
    return "approved" if known in _APPROVED else "placed"


def told_by(read: OrderRead, country: str, hasher: Hasher) -> dict[str, Any]:
    """Return what a read tells of its part; null tells nothing, hidden values of a buyer become hashes."""
    told = {
        "status": read.status, "value": read.value, "currency": read.currency, "changes": read.changes_value,
        "created": to_ms(read.created_at.isoformat()), "changed": to_ms(read.changed_at.isoformat()),
        "origin": read.origin.strip().lower() if read.origin else None, "form": read.order_form_id,
        "returns": {each.invoice_number: each.value for each in read.returns},
        "marketing": read.marketing.model_dump(exclude_none=True) if read.marketing else None,
        "replaces": group_of(read.replaces) if read.replaces else None,
        "user_profile_id": normal_customer(read.buyer.user_profile_id),
        "email_hash": hasher("email", usable_email(read.buyer.email)),
        "phone_hash": hasher("phone", usable_phone(read.buyer.phone, country)),
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def after_read(state: State, order_id: str, told: Mapping[str, Any], at: Version) -> State:
    """Return a purchase's state after one of its parts was read."""
    parts = state.get("parts", {})
    return {**state, "parts": {**parts, order_id: merge(parts.get(order_id) or nothing_known(), told, at)}}


def content_of(state: State) -> dict[str, Any]:
    """Return what the order's row says, without store, order and version."""
    parts = {order_id: facts["told"] for order_id, facts in sorted(state["parts"].items())}
    counted = _counted(parts)
    # Those that count speak first; the other half of a sale may still tell who bought.
    in_turn = [*counted, *(part for part in parts.values() if part not in counted)]
    currency = in_turn[0]["currency"]
    optional = {
        "order_form_id": _first(in_turn, "form"), "marketing": _first(in_turn, "marketing"),
        "replaces": _first(in_turn, "replaces"), "user_profile_id": _first(in_turn, "user_profile_id"),
        "email_hash": _first(in_turn, "email_hash"), "phone_hash": _first(in_turn, "phone_hash"),
    }  # fmt: skip
    return {
        "order_ids": list(parts),
        "state": _whole(state_of(part.get("status")) for part in counted),
        "statuses": {order_id: part.get("status", UNKNOWN_STATUS) for order_id, part in parts.items()},
        "created_at": to_text(min(part["created"] for part in counted)),
        "changed_at": to_text(max(part["changed"] for part in parts.values())),
        "currency": currency,
        **_amounts(counted, currency),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _counted(parts: Mapping[str, Part]) -> list[Part]:
    """Return the parts that count: of an own sale the shop's half, of a marketplace's what there is."""
    ranks = {order_id: _rank(part) for order_id, part in parts.items()}
    best = min(ranks.values())
    return [part for order_id, part in parts.items() if ranks[order_id] == best]


def _rank(part: Part) -> int:
    origin = part.get("origin")
    return _HALVES.index(origin) if origin in _HALVES else 0


def _whole(states: Iterable[OrderState]) -> OrderState:
    """Return the state of a purchase: as far as the least advanced of the parts that stand."""
    found = set(states)
    standing = [state for state in _PROGRESS if state in found]
    if standing:
        return standing[0]
    return "replaced" if "replaced" in found else "cancelled"


def _amounts(parts: Iterable[Part], currency: str) -> dict[str, int]:
    """Return the amounts in minor units; hundredths are summed first, so that nothing is rounded twice.

    What came back of a part that was cancelled is gone with it: subtracted once more, it would come off what stands.
    """
    counted = list(parts)
    fallen = [part for part in counted if state_of(part.get("status")) in {"cancelled", "replaced"}]
    standing = [part for part in counted if part not in fallen]
    amount, cancelled, changes, refunded = (
        from_hundredths(hundredths, currency)
        for hundredths in (
            sum(part["value"] for part in counted), sum(part["value"] for part in fallen),
            sum(part.get("changes", 0) for part in counted),
            sum(sum(part.get("returns", {}).values()) for part in standing),
        )
    )  # fmt: skip
    return {
        "amount": amount, "changes": changes, "cancelled": cancelled,
        "refunded": max(0, min(refunded, amount - cancelled)),
    }  # fmt: skip


def _first(parts: Iterable[Part], name: str) -> Any:
    return next((part[name] for part in parts if part.get(name)), None)
