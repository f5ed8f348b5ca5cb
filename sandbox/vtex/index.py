"""What search and scroll read: documents as of some time ago, found by time, by id, by e-mail, or by reading all."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar

from sandbox.vtex.generated import Generated
from sandbox.vtex.rows import Document, Kept, Row
from sandbox.vtex.timeline import Timeline
from sandbox.vtex.where import And, Condition, Equal, Or, Range

Hit = int | Kept
"""A document found: the number of a generated one, or one that is kept."""


@dataclass(frozen=True, slots=True)
class Sort:
    """One field and a direction: VTEX takes no second one (NOTES 2.1)."""

    field: str
    descending: bool = False


@dataclass(slots=True)
class Index:
    """The shown documents of an entity. `turn` grows with every change."""

    GHOST: ClassVar[str] = "~ghost"
    VALUES: ClassVar[frozenset[str]] = frozenset({"id", "email", "userId"})
    REMEMBERED: ClassVar[int] = 8

    generated: Generated
    shown: dict[str, Kept] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    turn: int = 0
    _moves: dict[str, int] = field(default_factory=dict)
    _values: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    _created: Timeline = field(init=False)
    _updated: Timeline = field(init=False)
    _found: dict[Any, Sequence[Hit]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._created = Timeline(lambda entry: self._time(entry[1], "createdIn") == entry[0])
        self._updated = Timeline(lambda entry: self._time(entry[1], "updatedIn") == entry[0])

    def _time(self, key: str, name: str) -> int | None:
        row = self.shown.get(key)
        if row is None:
            return None
        return row.created if name == "createdIn" else row.updated

    def take(self, move: int, key: str, row: Kept | None) -> None:
        """Show a version of a document, or None for its absence; never an older one than shown before."""
        if self._moves.get(key, 0) > move:
            return
        self._moves[key] = move
        self.turn += 1
        self._found.clear()
        self._forget(key)
        if row is None:
            return
        self.shown[key] = row
        self._created.add(row.created, key)
        if row.updated is not None:
            self._updated.add(row.updated, key)
        for place in self._places(row):
            self._values[place].add(key)

    def _forget(self, key: str) -> None:
        number = self.generated.number(key)
        if number is not None:
            self.hidden.add(number)
        before = self.shown.pop(key, None)
        if before is not None:
            for place in self._places(before):
                self._values[place].discard(key)

    def _places(self, row: Kept) -> Iterator[tuple[str, str]]:
        for name in self.VALUES:
            value = row.document.get(name)
            if value:
                yield name, str(value).lower()

    def row(self, hit: Hit) -> Row:
        """Return the document of a hit."""
        return self.generated.row(hit) if isinstance(hit, int) else hit

    def document(self, hit: Hit) -> Document:
        """Return the fields of a hit."""
        return self.generated.document(hit) if isinstance(hit, int) else hit.document

    def __len__(self) -> int:
        return len(self.generated) - len(self.hidden) + len(self.shown)

    def find(self, condition: Condition | None, sort: Sort | None) -> Sequence[Hit]:
        """Return what fulfils a condition, in order; equal sort keys in the order of ids, no value last."""
        asked = (condition, sort)
        found = self._found.get(asked)
        if found is None:
            found = _sorted(self._matching(condition), self, sort)
            if len(self._found) >= self.REMEMBERED:
                self._found.pop(next(iter(self._found)))
            self._found[asked] = found
        return found

    def _matching(self, condition: Condition | None) -> Sequence[Hit]:
        if condition is None:
            return [*self._numbers(range(len(self.generated))), *self.shown.values()]
        paths = _paths(condition)
        if paths is None:
            candidates: Iterable[Hit] = [*self._numbers(range(len(self.generated))), *self.shown.values()]
        elif paths == [condition]:
            return list(self._along(paths[0]))
        else:
            candidates = _once(hit for path in paths for hit in self._along(path))
        return [hit for hit in candidates if condition.test(self.row(hit))]

    def _numbers(self, numbers: range) -> Iterable[int]:
        if not self.hidden:
            return numbers
        hidden = self.hidden
        return [number for number in numbers if number not in hidden]

    def _along(self, path: Range | Equal) -> Iterator[Hit]:
        if isinstance(path, Equal):
            yield from self._with_value(path.field, path.text.lower())
            return
        if path.field == "createdIn":
            numbers, key, kept = range(len(self.generated)), self.generated.created, self._created
        else:
            numbers, key, kept = self.generated.touched, self._touched_at, self._updated
        first, last = bisect_left(numbers, path.low, key=key), bisect_right(numbers, path.high, key=key)
        yield from self._numbers(numbers[first:last])
        yield from (self.shown[found] for found in kept.between(path.low, path.high))

    def _touched_at(self, number: int) -> int:
        return self.generated.updated(number) or 0

    def _with_value(self, name: str, text: str) -> Iterator[Hit]:
        number = self.generated.lookup(name, text)
        if number is not None and number not in self.hidden:
            yield number
        for key in sorted(self._values.get((name, text), ())):
            yield self.shown[key]


def _paths(condition: Condition) -> list[Range | Equal] | None:
    """Return ways through the index whose union holds all that fulfils the condition; None when all must be read."""
    if isinstance(condition, Range):
        return [condition] if condition.field in {"createdIn", "updatedIn"} else None
    if isinstance(condition, Equal):
        return [condition] if condition.field in Index.VALUES and "*" not in condition.text else None
    if isinstance(condition, And):
        ways = [way for way in map(_paths, condition.parts) if way is not None]
        return min(ways, key=len, default=None)
    if isinstance(condition, Or):
        every = [_paths(part) for part in condition.parts]
        if any(way is None for way in every):
            return None
        return [path for way in every for path in way or ()]
    return None


def _once(hits: Iterable[Hit]) -> list[Hit]:
    seen: dict[int | str, Hit] = {}
    for hit in hits:
        seen.setdefault(hit if isinstance(hit, int) else hit.key, hit)
    return list(seen.values())


def _sorted(hits: Sequence[Hit], index: Index, sort: Sort | None) -> Sequence[Hit]:
    if sort is None:
        return hits
    value = _reader(index, sort.field)
    present = [(value(hit), hit) for hit in hits]
    with_value = [pair for pair in present if pair[0] is not None]
    if not _ascending(with_value):
        with_value.sort(key=lambda pair: (pair[0], index.row(pair[1]).key))
    if sort.descending:
        with_value.reverse()
    return [hit for _, hit in with_value] + [hit for found, hit in present if found is None]


def _ascending(pairs: list[tuple[Any, Hit]]) -> bool:
    return all(before[0] < after[0] for before, after in pairwise(pairs))


def _reader(index: Index, name: str) -> Callable[[Hit], Any]:
    created, updated = index.generated.created, index.generated.updated
    if name == "createdIn":
        return lambda hit: created(hit) if isinstance(hit, int) else hit.created
    if name == "updatedIn":
        return lambda hit: updated(hit) if isinstance(hit, int) else hit.updated
    return lambda hit: _comparable(index.row(hit).document.get(name))


def _comparable(value: Any) -> Any:
    return None if value is None else str(value).lower()
