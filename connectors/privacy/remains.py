"""What of a person stands where: the list before an erasure, and the proof after it.

The whole shard of the store is read: each topic and each table's changelog, latest records and those that a later one
has replaced, which leave with compaction.
"""

from dataclasses import dataclass, field
from typing import Final

import orjson

from connectors.privacy.matching import matching
from connectors.privacy.places import LISTS, REWRITTEN, UNCONCERNED, Fate, fate_of
from connectors.privacy.reading import Shard, Standing, keys, scan
from connectors.privacy.traces import Traces
from schemas import topics
from schemas.clock import DAY_MS
from schemas.topics import BY_NAME

OUTBOX: Final = "engine.outbox"


@dataclass(frozen=True, slots=True)
class Remain:
    """What stands in one place.

    Attributes:
        place: a topic, or a table by its name.
        table: whether it is a table's changelog.
        fate: what becomes of it there.
        standing: records or rows that carry the person.
        copies: older records of them, replaced and not compacted away yet.
        until: Unix ms when the last of it will be gone by itself; None where nothing goes by itself.
    """

    place: str
    table: bool
    fate: Fate
    standing: int
    copies: int
    until: int | None


@dataclass(slots=True)
class Remains:
    """All places where something of a person stands.

    Attributes:
        places: those that hold anything.
        records: of topics that are erased, the keys that stand, by topic.
        rows: the same of tables.
        refusals: dead letters that say that a destination did not erase: id and reason.
    """

    places: list[Remain] = field(default_factory=list)
    records: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refusals: list[tuple[str, str]] = field(default_factory=list)

    def standing(self, fate: Fate) -> int:
        """Return how many records and rows of that fate stand."""
        return sum(one.standing for one in self.places if one.fate == fate)

    @property
    def erased(self) -> bool:
        """Whether nothing stands that can be erased, and every destination has erased."""
        return not (self.standing("erased") or self.standing("destinations") or self.refusals)

    @property
    def complete(self) -> bool:
        """Whether it is erased, and compaction has removed the last copy."""
        return self.erased and not any(one.copies for one in self.places if one.fate != "kept")


async def look(shard: Shard, traces: Traces) -> Remains:
    """Return what stands of a person.

    Raises:
        BrokerUnreachable: no broker answered, or the read does not get on.
    """
    remains, matches = Remains(), matching(traces)
    names = [name for name in shard.topics if name not in UNCONCERNED | LISTS]
    tables = {shard.changelog(table): table for table in shard.tables if table not in LISTS}
    places = {**{name: name for name in names}, **tables}
    for name, found in (await scan(shard, {name: matches(place) for name, place in places.items()})).items():
        if name == topics.DEAD_LETTERS.name:
            remains.refusals = _refusals(found)
        elif places[name] == OUTBOX:
            _leave_out_profiles(found)
        _note(remains, places[name], found, table=name in tables)
    return remains


def _note(remains: Remains, name: str, found: Standing, *, table: bool) -> None:
    if not (found.latest or found.copies):
        return
    fate = fate_of(name)
    remains.places.append(Remain(name, table, fate, len(found.latest), found.copies, _until(name, found, fate)))
    if fate == "erased" and found.latest and name not in REWRITTEN:
        (remains.rows if table else remains.records)[name] = keys(found.latest)


def _until(name: str, found: Standing, fate: Fate) -> int | None:
    """Return when the last of it is gone by itself: kept records by retention, copies by compaction."""
    if fate == "kept":
        kept = BY_NAME[name].retention_ms
        return None if kept is None else found.last + kept
    return found.last_copy + DAY_MS if found.copies else None


def _refusals(found: Standing) -> list[tuple[str, str]]:
    """Take out of the dead letters those that say that a destination did not erase: they are a person's to settle."""
    told = []
    for key, record in list(found.latest.items()):
        letter = orjson.loads(record.value)
        if letter.get("topic") == topics.VTEX_CUSTOMERS.name and letter.get("value") is None:
            told.append((str(letter.get("letter")), str(letter.get("reason"))))
            del found.latest[key]
    return sorted(told)


def _leave_out_profiles(found: Standing) -> None:
    """Leave out calls about profiles: they end first, and what they made is erased after them."""
    for key, record in list(found.latest.items()):
        effect = orjson.loads(record.value)["effect"]
        if effect["id"].startswith("profile/"):
            del found.latest[key]
