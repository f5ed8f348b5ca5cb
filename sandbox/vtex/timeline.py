"""Keys by time. New times are mostly the latest, so a sorted list does; entries that hold no more are swept."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_WORTH_SWEEPING = 1000

Entry = tuple[int, str]


@dataclass(slots=True)
class Timeline:
    """(ticks, key) in order.

    Attributes:
        holds: whether an entry still says the truth; entries are not removed when a document moves.
    """

    holds: Callable[[Entry], bool]
    _entries: list[Entry] = field(default_factory=list)
    _added: int = 0

    def add(self, ticks: int, key: str) -> None:
        """Remember a key at a time."""
        entry = (ticks, key)
        if not self._entries or entry >= self._entries[-1]:
            self._entries.append(entry)
        else:
            insort(self._entries, entry)
        self._added += 1
        if self._added > max(_WORTH_SWEEPING, len(self._entries) // 2):
            self._sweep()

    def between(self, low: int, high: int) -> Iterator[str]:
        """Yield the keys from `low` to `high`, both included, each once, in the order of their times."""
        first, last = bisect_left(self._entries, (low, "")), bisect_left(self._entries, (high + 1, ""))
        before: Entry | None = None
        for entry in self._entries[first:last]:
            if entry != before and self.holds(entry):
                yield entry[1]
            before = entry

    def _sweep(self) -> None:
        self._entries = [entry for entry in dict.fromkeys(self._entries) if self.holds(entry)]
        self._added = 0
