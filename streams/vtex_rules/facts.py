"""What is known of one thing: of each field the value that its newest read told, a null telling nothing. Pure.

Reads come in any order and more than once; `merge` is commutative, associative and idempotent, so the facts are a
function of the set of reads. VTEX wipes fields by itself (contracts/vtex NOTES 2.5): a field that a newer read leaves
out keeps its value, and the version of the read that told it.
"""

from collections.abc import Mapping
from typing import Any

from streams.vtex_rules.versions import NEVER, Version

Facts = dict[str, Any]
"""`at`: version of the newest read; `told`: values; `older`: versions of the values that it did not tell."""


def no_facts() -> Facts:
    """Return what is known at first."""
    return {"at": NEVER, "told": {}, "older": {}}


def version_in(facts: Facts, name: str) -> Version:
    """Return the version of the read that told a field's value."""
    version: Version = facts["older"].get(name, facts["at"])
    return version


def merge(facts: Facts, told: Mapping[str, Any], at: Version) -> Facts:
    """Return what is known after a read.

    Args:
        facts: what was known.
        told: the fields that the read tells; those it leaves out keep their values.
        at: the read's version.
    """
    if not told:
        return facts
    newest = max(facts["at"], at)
    versions = {name: version_in(facts, name) for name in facts["told"]}
    values = dict(facts["told"])
    for name, value in told.items():
        if name not in versions or versions[name] < at:
            values[name], versions[name] = value, at
    older = {name: version for name, version in versions.items() if version != newest}
    return {"at": newest, "told": values, "older": older}


def since(facts: Facts, moment: int) -> dict[str, Any]:
    """Return the values told by reads whose VTEX time is later than a moment, in ticks."""
    return {name: value for name, value in facts["told"].items() if version_in(facts, name)[0] > moment}


def keep(facts: Facts, names: frozenset[str], moment: int) -> Facts:
    """Return the facts without those values that are not later than a moment, except the named fields."""
    told = {
        name: value for name, value in facts["told"].items() if name in names or version_in(facts, name)[0] > moment
    }
    return {**facts, "told": told, "older": {name: at for name, at in facts["older"].items() if name in told}}
