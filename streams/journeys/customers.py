"""What a customer is known by: the hashes of its highest version. Pure.

A deletion keeps them. Which versions there were depends on the order of arrival, what the last one says does not.

A row: `v` version, `h` hash -> kind, `was` the hashes it had when kpis last looked, where they differ.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.personal import Kind, normal_customer
from streams.journeys.hashes import CUSTOMER, Hashes, told

Row = dict[str, Any]


def hashes(customer: Mapping[str, Any], hash_of: Callable[[Kind, str | None], str | None]) -> Hashes:
    """Return the hashes that stand for a customer: e-mail, phone, document id and user id.

    None for a provisional one that was replaced: it would not exist, had its replacement been known before its order.

    Args:
        customer: the row of `vtex.customers`.
        hash_of: `KnownStore.hash`.
    """
    if customer.get("replaced_by"):
        return {}
    found = told({"email_hash": customer.get("email_hash"), "phone_hash": customer.get("phone_hash")})
    for name in (customer["customer"], customer.get("user_id")):
        value = hash_of("customer", normal_customer(name))
        if value:
            found[value] = CUSTOMER
    return found


def change(row: Row | None, version: int, now: Hashes) -> Row | None:
    """Return the row after a version, or None when a version at least as high is known."""
    if row is not None and row["v"] >= version:
        return None
    before: Hashes = row["h"] if row else {}
    new: Row = {"v": version, "h": now}
    was = row.get("was") if row else None
    if was is not None:
        new["was"] = {**before, **was}
    elif before.keys() != now.keys():
        new["was"] = before
    return new
