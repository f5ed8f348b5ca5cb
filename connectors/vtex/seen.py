"""What was emitted of a store lately: bounded, and only a saving. Losing it costs readings, never truth."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

DELETED: Final = "deleted"
"""Content of a document that is gone."""


class Sighting(NamedTuple):
    """A document as it was last read.

    Attributes:
        version: its coalesce(updatedIn, createdIn), or an order's lastChange.
        content: digest of what it said, or DELETED.
        read_at: when the reading began, VTEX's Unix milliseconds.
        strong: whether it was read from storage, not from an index.
        settled: whether a later change must have another version: the reading was long enough after the version.
    """

    version: str
    content: str
    read_at: int
    strong: bool
    settled: bool

    def outdates(self, other: "Sighting") -> bool:
        """Whether this reading is known to be later than another: of the newer version, else read later."""
        mine, theirs = _sortable(self.version), _sortable(other.version)
        if mine != theirs:
            return mine > theirs
        if self.strong != other.strong:
            return self.strong
        return self.read_at > other.read_at


class Seen:
    """The last documents of one kind, the least recently noted forgotten first.

    Args:
        limit: documents kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Plain tuples of plain values: the garbage collector passes millions of them over, named ones it visits.
        self._rows: OrderedDict[str, tuple[str, str, int, bool, bool]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, id: str) -> Sighting | None:  # noqa: A002  what it is
        """Return what was noted of a document."""
        row = self._rows.get(id)
        return None if row is None else Sighting(*row)

    def knows(self, id: str, version: str) -> bool:  # noqa: A002
        """Whether this version of a document needs no reading any more."""
        row = self.get(id)
        return row is not None and row.settled and _sortable(row.version) >= _sortable(version)

    def note(self, id: str, sighting: Sighting) -> None:  # noqa: A002
        """Note a document, after its event was committed."""
        self._rows[id] = (*sighting,)
        self._rows.move_to_end(id)
        if len(self._rows) > self._limit:
            self._rows.popitem(last=False)

    def since(self, version: str) -> Iterator[str]:
        """Yield the ids of documents that are there and whose version is at least this one."""
        least = _sortable(version)
        for id, (known, content, *_) in self._rows.items():  # noqa: A001
            if content != DELETED and _sortable(known) >= least:
                yield id


def _sortable(version: str) -> str:
    """VTEX's timestamps sort as texts once the zone is off: `.42` stands before `.4200001`."""
    return version.removesuffix("Z").removesuffix("+00:00")
