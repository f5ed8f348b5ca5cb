"""One document as search sees it: its key, its two times in ticks, and its fields."""

from dataclasses import dataclass
from typing import Any, Protocol

Document = dict[str, Any]
"""A Master Data document. Never changed in place: a change makes a new one, so that readers may hold the old one."""


class Row(Protocol):
    """What conditions and sorting need of a document."""

    @property
    def key(self) -> str:
        """The id, lower case."""

    @property
    def created(self) -> int:
        """Ticks of `createdIn`."""

    @property
    def updated(self) -> int | None:
        """Ticks of `updatedIn`; None on a document never updated (NOTES 2.4)."""

    @property
    def document(self) -> Document:
        """The whole document."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A document that is kept whole."""

    key: str
    created: int
    updated: int | None
    document: Document
