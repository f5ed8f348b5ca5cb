"""The `_where` grammar of Master Data v1 (NOTES 2.1): comparisons, between, null tests, AND, OR, parentheses.

Conditions on dates become ranges of ticks, both ends included, with VTEX's roundings already applied (NOTES 2.4), so
that an index can use them.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from sandbox.vtex.clock import DAY, is_day, parse
from sandbox.vtex.rows import Document, Row

FOREVER: Final = 1 << 62
MILLISECOND: Final = 10_000
_TIMES: Final = {"createdIn", "updatedIn"}
_TOKEN: Final = re.compile(r"""\s*(<>|[=<>()]|"[^"]*"|'[^']*'|[^\s=<>()]+)""")


class BadWhere(ValueError):  # noqa: N818  what VTEX answers 400 to
    """The condition is not one that VTEX takes."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How dates are compared: the undocumented part of `between`, and the index's resolution."""

    open_between: bool = False
    whole_milliseconds: bool = False

    def span(self, low: int, high: int) -> tuple[int, int]:
        """Return the range of ticks that the index takes for `low` to `high`."""
        if not self.whole_milliseconds:
            return low, high
        return low - low % MILLISECOND, high - high % MILLISECOND + MILLISECOND - 1


@dataclass(frozen=True, slots=True)
class Range:
    """A date field lies between two ticks, both included; a missing value does not."""

    field: str
    low: int
    high: int

    def test(self, row: Row) -> bool:
        """Whether the row fulfils it."""
        ticks = _ticks(row, self.field)
        return ticks is not None and self.low <= ticks <= self.high


@dataclass(frozen=True, slots=True)
class Equal:
    """A field has a value; text is compared without case, `*` stands for anything."""

    field: str
    text: str

    def test(self, row: Row) -> bool:
        """Whether the row fulfils it."""
        value = _value(row.document, self.field)
        if value is None:
            return False
        if isinstance(value, bool):
            return self.text.lower() == str(value).lower()
        if isinstance(value, int | float):
            return _number(self.text) == value
        wanted, found = self.text.lower(), str(value).lower()
        return fnmatchcase(found, wanted) if "*" in wanted else found == wanted


@dataclass(frozen=True, slots=True)
class Order:
    """A field that is no date is greater or less than a value."""

    field: str
    sign: str
    text: str

    def test(self, row: Row) -> bool:
        """Whether the row fulfils it."""
        value = _value(row.document, self.field)
        if value is None:
            return False
        other: Any = self.text
        if isinstance(value, int | float):
            other = _number(self.text)
            if other is None:
                return False
        else:
            value = str(value)
        return bool(value > other if self.sign == ">" else value < other)


@dataclass(frozen=True, slots=True)
class Null:
    """A field has no value, or has one."""

    field: str
    wanted: bool = True

    def test(self, row: Row) -> bool:
        """Whether the row fulfils it."""
        if self.field == "updatedIn":
            return (row.updated is None) == self.wanted
        return (_value(row.document, self.field) is None) == self.wanted


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: "Condition"

    def test(self, row: Row) -> bool:
        """Whether the row fulfils it."""
        return not self.part.test(row)


@dataclass(frozen=True, slots=True)
class And:
    """Every part."""

    parts: tuple["Condition", ...]

    def test(self, row: Row) -> bool:
        """Whether the row fulfils it."""
        return all(part.test(row) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Any part."""

    parts: tuple["Condition", ...]

    def test(self, row: Row) -> bool:
        """Whether the row fulfils it."""
        return any(part.test(row) for part in self.parts)


Condition = Range | Equal | Order | Null | Not | And | Or


def _ticks(row: Row, field: str) -> int | None:
    if field == "createdIn":
        return row.created
    if field == "updatedIn":
        return row.updated
    value = _value(row.document, field)
    return parse(value) if isinstance(value, str) and value else None


def _value(document: Document, field: str) -> Any:
    value: Any = document
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def parse_where(text: str, *, filters: Collection[str], dates: Collection[str], rounding: Rounding) -> Condition:
    """Read a condition.

    Args:
        text: the value of `_where`, URL-decoded.
        filters: fields that may be filtered.
        dates: which of them are dates.
        rounding: how this VTEX compares dates.

    Raises:
        BadWhere: on anything else; VTEX answers 400.
    """
    reader = _Reader(_tokens(text), frozenset(filters), frozenset(dates), rounding)
    condition = reader.alternatives()
    if reader.word() is not None:
        raise BadWhere(f"unexpected {reader.word()!r}")
    return condition


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise BadWhere(f"unreadable at {at}")
        tokens.append(found[1])
        at = found.end()
    return tokens


@dataclass(slots=True)
class _Reader:
    """Recursive descent: OR binds weaker than AND."""

    tokens: list[str]
    filters: frozenset[str]
    dates: frozenset[str]
    rounding: Rounding
    at: int = 0

    def word(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def keyword(self) -> str:
        return (self.word() or "").upper()

    def take(self) -> str:
        word = self.word()
        if word is None:
            raise BadWhere("the condition ends too early")
        self.at += 1
        return word

    def expect(self, wanted: str) -> None:
        if self.keyword() != wanted:
            raise BadWhere(f"{wanted} expected, not {self.word()!r}")
        self.at += 1

    def alternatives(self) -> Condition:
        parts = [self.conjunction()]
        while self.keyword() == "OR":
            self.at += 1
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def conjunction(self) -> Condition:
        parts = [self.part()]
        while self.keyword() == "AND":
            self.at += 1
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def part(self) -> Condition:
        if self.word() == "(":
            self.at += 1
            inner = self.alternatives()
            self.expect(")")
            return inner
        return self.comparison(self.field())

    def field(self) -> str:
        field = self.take()
        if field.split(".")[0] not in self.filters:
            raise BadWhere(f"field {field[:40]!r} cannot be filtered")
        return field

    def comparison(self, field: str) -> Condition:
        sign = self.take()
        if sign.upper() == "IS":
            return self.null_test(field)
        if sign.upper() == "BETWEEN":
            low = self.value()
            self.expect("AND")
            return self.between(field, low, self.value())
        if sign not in {"=", "<>", ">", "<"}:
            raise BadWhere(f"no comparison: {sign[:20]!r}")
        return self.compare(field, sign, self.value())

    def null_test(self, field: str) -> Condition:
        wanted = self.keyword() != "NOT"
        if not wanted:
            self.at += 1
        self.expect("NULL")
        return Null(field, wanted)

    def value(self) -> str:
        words: list[str] = []
        while self.word() is not None and self.word() != ")" and (not words or self.keyword() not in {"AND", "OR"}):
            words.append(self.take().strip("\"'"))
        if not words:
            raise BadWhere("a value is missing")
        return " ".join(words)

    def between(self, field: str, low: str, high: str) -> Condition:
        if field not in self.dates:
            return And((Not(Order(field, "<", low)), Not(Order(field, ">", high)), Null(field, wanted=False)))
        first, last = self.day_or_instant(low), self.day_or_instant(high)
        if self.rounding.open_between:
            return Range(field, first[1] + 1, last[0] - 1)
        return Range(field, first[0], last[1])

    def compare(self, field: str, sign: str, value: str) -> Condition:
        if field not in self.dates:
            equal = Equal(field, value)
            return Order(field, sign, value) if sign in {"<", ">"} else equal if sign == "=" else Not(equal)
        first, last = self.day_or_instant(value)
        if sign == ">":
            return Range(field, last + 1, FOREVER)
        if sign == "<":
            return Range(field, -FOREVER, first - 1)
        equal_time = Range(field, first, last)
        return equal_time if sign == "=" else Not(equal_time)

    def day_or_instant(self, text: str) -> tuple[int, int]:
        """Return the first and last tick that a literal stands for: a day is a whole day (NOTES 2.4)."""
        try:
            ticks = parse(text)
        except ValueError as error:
            raise BadWhere(str(error)) from error
        return self.rounding.span(ticks, ticks + DAY - 1 if is_day(text) else ticks)
