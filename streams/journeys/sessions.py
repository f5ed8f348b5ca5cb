"""What a session has told: hashes, campaigns it landed from, orders and carts it acted on. Pure.

A row: `t` hash -> [kind, last day it was told], `l` campaigns, `o` order references, `f` carts; `m` when it is a
machine; `n` when kpis has not yet looked at what is new in it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from streams.journeys.hashes import Hashes
from streams.journeys.limits import SESSION_CAMPAIGNS, SESSION_HASHES, SESSION_ORDERS

Row = dict[str, Any]
MACHINE: Row = {"m": 1, "n": 1}


def hashes(row: Row | None) -> Hashes:
    """Return the hashes told in a session; none for a machine."""
    return {value: kind for value, (kind, _) in row.get("t", {}).items()} if row else {}


def campaigns(row: Row | None) -> list[str]:
    """Return the campaigns that a session landed from, also a machine's."""
    return row.get("l", []) if row else []


def is_machine(row: Row | None) -> bool:
    """Say whether a session passed a limit of docs/kpis.md: it identifies nobody and explains no order."""
    return bool(row and row.get("m"))


def tell(row: Row | None, told: Mapping[str, str], day: int, oldest: int) -> Row | None:
    """Return the row of a session that told hashes on a day, or None when that is nothing new.

    Args:
        row: as it was.
        told: the hashes, with their kinds.
        day: days since 1970.
        oldest: hashes not told since are let go.
    """
    before = row.get("t", {}) if row else {}
    if is_machine(row) or all(value in before and before[value][1] >= day for value in told):
        return None
    after = {value: entry for value, entry in before.items() if entry[1] >= oldest}
    for value, kind in told.items():
        after[value] = [kind, max(day, before.get(value, ["", 0])[1])]
    news = {"n": 1} if after.keys() - before.keys() else {}
    return _bounded({**(row or {}), "t": after, **news})


def land(row: Row | None, campaign: str) -> Row | None:
    """Return the row of a session that landed from a campaign, or None when it was known."""
    return _add(row, "l", [campaign])


def act(row: Row | None, orders: Iterable[str], carts: Iterable[str]) -> Row | None:
    """Return the row of a session that acted on orders and carts, or None when that was known."""
    if is_machine(row):
        return None
    with_orders = _add(row, "o", orders)
    with_carts = _add(with_orders or row, "f", carts)
    return with_carts or with_orders


def _add(row: Row | None, name: str, members: Iterable[str]) -> Row | None:
    before = row.get(name, []) if row else []
    after = sorted({*before, *members})
    if len(after) == len(before):
        return None
    if is_machine(row) and len(after) > SESSION_CAMPAIGNS:
        return None
    return _bounded({**(row or {}), name: after})


def _bounded(row: Row) -> Row:
    """Make a machine of a session beyond a limit; its landings are still to be found, up to their own limit."""
    if is_machine(row):
        return row
    acted = len(row.get("o", ())) + len(row.get("f", ()))
    landed = row.get("l", [])
    if len(row.get("t", ())) <= SESSION_HASHES and acted <= SESSION_ORDERS and len(landed) <= SESSION_CAMPAIGNS:
        return row
    return {**MACHINE, "l": landed} if landed else dict(MACHINE)
