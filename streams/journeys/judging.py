"""An order's one explanation, from the facts as they are now, as `attributions` tells it (docs/kpis.md)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from schemas.clock import local_day, to_text
from streams.journeys import orders, settling
from streams.journeys.evidence import Evidence, gather
from streams.journeys.facts import Facts
from streams.journeys.learning import index_order
from streams.journeys.limits import digest
from streams.journeys.touches import Explanation, explain

LONGEST_CHAIN: Final = 20
"""Replacements of replacements that are followed."""


def judge(facts: Facts, order: str) -> tuple[bool, bytes | None]:
    """Judge an order and note what was published of it.

    Returns:
        Whether that changed, and the row of `attributions`; None where there is no such order any more.
    """
    row: orders.Row = facts.row(facts.orders, order) or {}
    known = None if _is_stand_in(facts, order, row) else orders.facts_of(row)
    if known is None:
        changed = "out" in row
        if changed:
            facts.put(facts.orders, {name: value for name, value in row.items() if name != "out"}, order)
        return changed, None
    if settling.settled(row) is not None:
        evidence = settling.NO_EVIDENCE
    else:
        evidence = gather(facts, order, row, known)
        index_order(facts, order, known["at"], evidence.people)
    value = orjson.dumps(_document(facts, order, known, evidence))
    out = digest(value.decode())
    if out != row.get("out") or evidence.kept != row.get("kept"):
        facts.put(facts.orders, {**row, "out": out, "kept": evidence.kept}, order)
    return out != row.get("out"), value


def concerned_by(facts: Facts, order: str) -> set[str]:
    """Return the orders whose explanation follows that of an order: those that replace it."""
    row = facts.row(facts.orders, order) or {}
    names = (row.get("v") or {}).get("names", ())
    return {one for name in names for one in facts.orders_replacing(name)}


def _is_stand_in(facts: Facts, order: str, row: Mapping[str, Any]) -> bool:
    """Say whether the pixel's order is known to VTEX under another name."""
    return not row.get("v") and bool(facts.owners(order))


def _document(facts: Facts, order: str, known: Mapping[str, Any], evidence: Evidence) -> dict[str, Any]:
    found = explanation_of(facts, order, known, evidence)
    amounts = orders.amounts(known, _replaced(facts, known)[1])
    ordered, zone, winner = known["at"], facts.timezone, found.winner
    return {
        "store": facts.store,
        "order": order,
        "explanation": found.explanation,
        "rule": found.rule,
        "campaign": winner.campaign if winner else None,
        "winner": winner.document() if winner else None,
        "losers": [touch.document() for touch in found.losers],
        "ordered_at": to_text(ordered),
        "order_day": local_day(ordered, zone).isoformat(),
        "currency": known["currency"],
        **amounts._asdict(),
        "time_to_conversion": orders.time_to_conversion(winner, ordered, zone) if winner else None,
    }


def explanation_of(facts: Facts, order: str, known: Mapping[str, Any], evidence: Evidence) -> Explanation:
    """Return what explains an order: as it was settled, else by its evidence, else by that of whom it replaces."""
    settled = settling.settled(facts.row(facts.orders, order))
    if settled is not None:
        return settled
    chain = _chain(facts, order, known)
    if not chain:
        return _explain(facts, known, evidence)
    first, its = chain[-1]
    row = facts.row(facts.orders, first)
    found = settling.settled(row) or _explain(facts, its, gather(facts, first, row, its))
    return found._replace(rule=f"replacement:{found.rule}")


def _explain(facts: Facts, known: Mapping[str, Any], evidence: Evidence) -> Explanation:
    return explain(evidence.touches, known["at"], facts.windows, known.get("source"))


Named = tuple[str, Mapping[str, Any]]


def _replaced(facts: Facts, known: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any] | None]:
    """Return VTEX's order that an order replaces, when it is known."""
    name = known.get("replaces")
    owners = facts.owners(name) if name else []
    return (owners[0], facts.row(facts.orders, owners[0])["v"]) if owners else (None, None)


def _chain(facts: Facts, order: str, known: Mapping[str, Any]) -> list[Named]:
    """Return the orders that an order replaces, the first one last; none where it replaces itself in a circle."""
    chain: list[Named] = []
    passed = {order}
    for _ in range(LONGEST_CHAIN):
        name, facts_of = _replaced(facts, chain[-1][1] if chain else known)
        if name is None or facts_of is None:
            break
        if name == order:
            return []
        if name in passed:
            # A circle further on: its members are judged each by itself, and so the first of them we meet.
            entry = next(place for place, (one, _) in enumerate(chain) if one == name)
            return chain[: entry + 1]
        passed.add(name)
        chain.append((name, facts_of))
    return chain
