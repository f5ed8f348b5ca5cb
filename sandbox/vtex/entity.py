"""One entity of Master Data: the strongly consistent storage, and the index that search and scroll read (NOTES 2.3)."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.vtex.clock import parse
from sandbox.vtex.fields import Field
from sandbox.vtex.generated import Generated, Nothing
from sandbox.vtex.index import Index
from sandbox.vtex.rows import Document, Kept, Row


def kept(document: Document) -> Kept:
    """Return a document with its times read."""
    updated = document.get("updatedIn")
    return Kept(document["id"].lower(), parse(document["createdIn"]), parse(updated) if updated else None, document)


@dataclass(slots=True)
class Entity:
    """CL or AD: what is stored, and what is on its way to the index.

    Attributes:
        acronym: `CL`, `AD`.
        fields: the entity's structure.
        generated: documents that are functions of their number until somebody changes them.
        versions: former documents by key, newest last.
    """

    acronym: str
    fields: dict[str, Field]
    generated: Generated = field(default_factory=Nothing)
    stored: dict[str, Kept] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    versions: dict[str, list[Document]] = field(default_factory=dict)
    index: Index = field(init=False)
    _waiting: list[tuple[int, int, str, Kept | None]] = field(default_factory=list)
    _moves: int = 0

    def __post_init__(self) -> None:
        self.index = Index(self.generated)

    def generate(self, generated: Generated) -> None:
        """Hold documents that need no memory; only in a shop that has none yet."""
        if self.stored or len(self.generated):
            raise ValueError(f"entity {self.acronym} has documents already: fill it before anything else")
        self.generated = generated
        self.index = Index(generated)

    def get(self, id: str) -> Row | None:  # noqa: A002  VTEX's name
        """Return the document of an id as it is now, whatever the case of the id; None when there is none."""
        key = id.lower()
        found = self.stored.get(key)
        if found is not None:
            return found
        number = self.generated.number(key)
        return None if number is None or number in self.changed else self.generated.row(number)

    def put(self, document: Document, visible_at: int | None, ghost: str | None = None) -> Kept:
        """Store a whole document.

        Args:
            document: with `id` and times.
            visible_at: when search and scroll see it; None for never.
            ghost: another spelling of the id under which the index holds it too.
        """
        row = kept(document)
        self._leave(row.key)
        self.stored[row.key] = row
        if visible_at is not None:
            self._later(visible_at, row.key, row)
            if ghost is not None:
                self._later(visible_at, f"{row.key}{Index.GHOST}", _renamed(row, ghost))
        return row

    def remove(self, id: str, visible_at: int) -> bool:  # noqa: A002
        """Delete a document; whether there was one. The index forgets it and its ghost later."""
        row = self.get(id)
        if row is None:
            return False
        self._leave(row.key)
        self.stored.pop(row.key, None)
        self._later(visible_at, row.key, None)
        self._later(visible_at, f"{row.key}{Index.GHOST}", None)
        return True

    def settle(self, now: int) -> Index:
        """Let the index take what it may see by `now`, and return it."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            _, move, key, row = heapq.heappop(waiting)
            self.index.take(move, key, row)
        return self.index

    def all(self) -> Iterator[Document]:
        """Return every document as stored now: the truth, in no order."""
        for number in range(len(self.generated)):
            if number not in self.changed:
                yield self.generated.row(number).document
        for row in list(self.stored.values()):
            yield row.document

    def __len__(self) -> int:
        return len(self.generated) - len(self.changed) + len(self.stored)

    def _leave(self, key: str) -> None:
        """Keep the former version, and let a generated document be one no more."""
        before = self.get(key)
        if before is None:
            return
        self.versions.setdefault(key, []).append(before.document)
        number = self.generated.number(key)
        if number is not None:
            self.changed.add(number)

    def _later(self, visible_at: int, key: str, row: Kept | None) -> None:
        self._moves += 1
        heapq.heappush(self._waiting, (visible_at, self._moves, key, row))


def _renamed(row: Kept, ghost: str) -> Kept:
    document: dict[str, Any] = {**row.document, "id": ghost}
    return Kept(f"{row.key}{Index.GHOST}", row.created, row.updated, document)
