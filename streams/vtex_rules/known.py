"""What is known of one thing: of each field the value that its newest read told, a null telling nothing. Pure.

Reads come in any order and more than once; `merge` is commutative, associative and idempotent, so what is known is a
function of the set of reads. VTEX wipes fields by itself (contracts/vtex NOTES 2.5): a field that a newer read leaves
out keeps its value, and the version of the read that told it.
"""

from collections.abc import Mapping
from typing import Any

from streams.vtex_rules.versions import NEVER, Version

Known = dict[str, Any]
"""`at`: version of the newest read; `told`: values; `older`: versions of the values that it did not tell."""


def nothing_known() -> Known:
    """Return what is known at first."""
    return {"at": NEVER, "told": {}, "older": {}}


def version_in(known: Known, name: str) -> Version:
    """Return the version of the read that told a field's value."""
    version: Version = known["older"].get(name, known["at"])
    return version


def merge(known: Known, told: Mapping[str, Any], at: Version) -> Known:
    """Return what is known after a read.

    Args:
        known: before.
        told: the fields that the read tells; those it leaves out keep their values.
        at: the read's version.
    """
    if not told:
        return known
    newest = max(known["at"], at)
    versions = {name: version_in(known, name) for name in known["told"]}
    values = dict(known["told"])
    for name, value in told.items():
        if name not in versions or versions[name] < at:
            values[name], versions[name] = value, at
    older = {name: version for name, version in versions.items() if version != newest}
    return {"at": newest, "told": values, "older": older}


def since(known: Known, moment: int) -> dict[str, Any]:
    """Return the values told by reads whose VTEX time is later than a moment, in ticks."""
    return {name: value for name, value in known["told"].items() if version_in(known, name)[0] > moment}


def keep(known: Known, names: frozenset[str], moment: int) -> Known:
    """Return what is known without those values that are not later than a moment, except the named fields."""
    told = {
        name: value for name, value in known["told"].items() if name in names or version_in(known, name)[0] > moment
    }
    return {**known, "told": told, "older": {name: at for name, at in known["older"].items() if name in told}}
