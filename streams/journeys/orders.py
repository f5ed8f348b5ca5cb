"""What an order is worth and who bought: VTEX's facts, or the pixel's until VTEX's are known. Pure.

A row: `v` what VTEX tells, `p` what the pixel's `order.placed` tells, `kept` the session evidence (evidence.py), `out`
the digest of what was published, `gone` when it was erased.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from schemas.clock import local_day, to_ms
from schemas.vtex import group_of
from streams.journeys.hashes import CUSTOMER, Hashes, told
from streams.journeys.touches import Touch

Row = dict[str, Any]
_BUCKETS: Final = ((0, "same_day"), (3, "d1_3"), (7, "d4_7"), (30, "d8_30"))


class Amounts(NamedTuple):
    """What counts of an order, in minor units."""

    amount: int
    refunded: int
    net: int
    conversions: int


def vtex_facts(order: Mapping[str, Any], user_hash: str | None) -> Row:
    """Return what is kept of a row of `vtex.orders`.

    Args:
        order: the row.
        user_hash: the hash of its `user_profile_id`.

    Raises:
        KeyError, ValueError: a field that every order has is missing or unreadable.
    """
    marketing = order.get("marketing") or {}
    hashes = told({"email_hash": order.get("email_hash"), "phone_hash": order.get("phone_hash")})
    if user_hash:
        hashes[user_hash] = CUSTOMER
    replaces = order.get("replaces")
    return {
        "version": order["version"],
        "at": to_ms(order["created_at"]),
        "currency": order["currency"],
        "amount": order["amount"],
        "cancelled": order.get("cancelled", 0),
        "refunded": order.get("refunded", 0),
        "state": order["state"],
        "source": marketing.get("utm_source"),
        "campaign": marketing.get("utm_campaign"),
        "cart": order.get("order_form_id"),
        "names": sorted({group_of(name) for name in (order["order"], *order.get("order_ids", ()))}),
        "replaces": group_of(replaces) if replaces else None,
        "hashes": hashes,
    }


def placed_facts(data: Mapping[str, Any], at: int) -> list[Any] | None:
    """Return what stands for an order until VTEX's is known: [at, amount, currency]; None without amount."""
    amount, currency = data.get("amount_minor"), data.get("amount_currency")
    return None if amount is None or not currency else [at, amount, currency]


def stand_in(row: Row) -> list[Any] | None:
    """Return the placed facts that a row holds; those of earlier versions have the event's id behind the time."""
    if not row.get("p"):
        return None
    at, *_, amount, currency = row["p"]
    return [at, amount, currency]


def facts_of(row: Row | None) -> Mapping[str, Any] | None:
    """Return what an order is judged by: VTEX's facts, else the pixel's in the same shape; None when neither."""
    if not row or "gone" in row:
        return None
    if row.get("v"):
        known: Mapping[str, Any] = row["v"]
        return known
    placed = stand_in(row)
    if placed is None:
        return None
    at, amount, currency = placed
    return {"at": at, "amount": amount, "currency": currency, "state": "placed", "hashes": {}}


def amounts(order: Mapping[str, Any], replaced: Mapping[str, Any] | None) -> Amounts:
    """Return what counts of an order.

    Args:
        order: its facts.
        replaced: the facts of the order it replaces, when VTEX has told them.
    """
    if order["state"] in {"cancelled", "replaced"}:
        return Amounts(0, 0, 0, 0)
    amount = order["amount"] - order.get("cancelled", 0)
    if replaced is not None and replaced["currency"] == order["currency"]:
        amount = min(amount, replaced["amount"])
    amount = max(0, amount)  # what was changed later may have taken away more than there was
    refunded = min(order.get("refunded", 0), amount)
    return Amounts(amount, refunded, amount - refunded, 1)


def time_to_conversion(winner: Touch, ordered: int, timezone: str) -> str:
    """Return the bucket of the local days from the winning touch to the order."""
    days = (local_day(ordered, timezone) - local_day(winner.at, timezone)).days
    return next((name for most, name in _BUCKETS if days <= most), "d30_plus")


def own_hashes(order: Mapping[str, Any]) -> Hashes:
    """Return the hashes that the order itself has."""
    return dict(order["hashes"])


def carts(order: Mapping[str, Any]) -> Iterable[str]:
    """Return its order form, when known."""
    return [order["cart"]] if order.get("cart") else []
