"""Documents that are functions of their number: a million of them need no memory until somebody changes one."""

from dataclasses import dataclass
from typing import Protocol

from sandbox.vtex.rows import Document


class Generated(Protocol):
    """`len()` documents, numbered from 0, created in the order of their numbers."""

    def __len__(self) -> int: ...

    @property
    def touched(self) -> range:
        """The numbers that have an `updatedIn`, which grows with the number."""

    def created(self, number: int) -> int:
        """Return the ticks of `createdIn`."""

    def updated(self, number: int) -> int | None:
        """Return the ticks of `updatedIn`."""

    def number(self, key: str) -> int | None:
        """Return the number of a lower-case id."""

    def lookup(self, field: str, text: str) -> int | None:
        """Return the number whose field has this lower-case value; only for fields in `Index.VALUES`."""

    def document(self, number: int) -> Document:
        """Return the whole document."""

    def row(self, number: int) -> "GeneratedRow":
        """Return the document as search sees it."""


@dataclass(frozen=True, slots=True)
class GeneratedRow:
    """A row that computes what it is asked for."""

    generated: Generated
    number: int

    @property
    def key(self) -> str:
        """The id, lower case."""
        return str(self.document["id"])

    @property
    def created(self) -> int:
        """Ticks of `createdIn`."""
        return self.generated.created(self.number)

    @property
    def updated(self) -> int | None:
        """Ticks of `updatedIn`."""
        return self.generated.updated(self.number)

    @property
    def document(self) -> Document:
        """The whole document."""
        return self.generated.document(self.number)


class Nothing:
    """No generated documents."""

    touched = range(0)

    def __len__(self) -> int:
        return 0

    def created(self, number: int) -> int:
        """There is none."""
        raise IndexError(number)

    def updated(self, number: int) -> int | None:
        """There is none."""
        raise IndexError(number)

    def number(self, key: str) -> int | None:  # noqa: ARG002  the protocol
        """Return None."""
        return None

    def lookup(self, field: str, text: str) -> int | None:  # noqa: ARG002  the protocol
        """Return None."""
        return None

    def document(self, number: int) -> Document:
        """There is none."""
        raise IndexError(number)

    def row(self, number: int) -> GeneratedRow:
        """There is none."""
        raise IndexError(number)
