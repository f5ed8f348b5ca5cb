"""What feed and hook let through: statuses (FromWorkflow) or an expression on the order (FromOrders; NOTES 4.4)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

_COMPARISON: Final = re.compile(
    r"""\s*(?P<count>\$count\()?\s*(?P<path>[A-Za-z_][\w.]*)\s*\)?\s*(?P<sign>!=|>=|<=|=|>|<)\s*(?P<value>"[^"]*"|-?[\d.]+|true|false|null)\s*"""
)
_SIGNS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda left, right: left == right, "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right, "<": lambda left, right: left < right,
    ">=": lambda left, right: left >= right, "<=": lambda left, right: left <= right,
}  # fmt: skip


class BadFilter(ValueError):  # noqa: N818  what VTEX answers 400 to
    """The filter is not one that VTEX takes."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter. The spelling of statuses is not checked, as VTEX does not either.

    Attributes:
        again: `disableSingleFire`: without it an order appears once for ever in FromOrders.
    """

    type: str
    statuses: frozenset[str] = frozenset()
    expression: str = ""
    again: bool = False

    @classmethod
    def read(cls, document: Any) -> Self:
        """Read `filter` of a configuration.

        Raises:
            BadFilter: when it is incomplete, or the expression is beyond this stand-in.
        """
        if not isinstance(document, dict) or document.get("type") not in {"FromWorkflow", "FromOrders"}:
            raise BadFilter("filter.type must be FromWorkflow or FromOrders")
        if document["type"] == "FromWorkflow":
            statuses = document.get("status")
            if not isinstance(statuses, list) or not statuses:
                raise BadFilter("filter.status must list statuses")
            return cls("FromWorkflow", frozenset(map(str, statuses)))
        expression = str(document.get("expression") or "")
        _tests(expression)
        return cls("FromOrders", expression=expression, again=bool(document.get("disableSingleFire")))

    def told(self) -> dict[str, Any]:
        """Return the filter as a configuration shows it."""
        if self.type == "FromWorkflow":
            return {"type": self.type, "status": sorted(self.statuses)}
        return {"type": self.type, "expression": self.expression, "disableSingleFire": self.again}

    def wants(self, order: dict[str, Any], *, moved: bool) -> bool:
        """Whether a change of an order passes; `moved` says that its status changed."""
        if self.type == "FromWorkflow":
            return moved and order.get("status") in self.statuses
        return any(all(test(order) for test in every) for every in _tests(self.expression))


def _tests(expression: str) -> list[list[Callable[[dict[str, Any]], bool]]]:
    """Read comparisons and `$count(path) > n`, joined by `and` and `or`: alternatives of conjunctions."""
    return [
        [_test(part) for part in re.split(r"\band\b", alternative)]
        for alternative in re.split(r"\bor\b", expression)
    ]  # fmt: skip


def _test(text: str) -> Callable[[dict[str, Any]], bool]:
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise BadFilter(f"expression not understood: {text.strip()[:60]!r}")
    wanted, compare = _literal(found["value"]), _SIGNS[found["sign"]]

    def test(order: dict[str, Any]) -> bool:
        values = _reach(order, found["path"].split("."))
        if found["count"]:
            return compare(len(values), wanted)
        return any(_comparable(value, wanted) and compare(value, wanted) for value in values)

    return test


def _literal(text: str) -> Any:
    named: dict[str, Any] = {"true": True, "false": False, "null": None}
    if text in named:
        return named[text]
    return text[1:-1] if text.startswith('"') else float(text)


def _comparable(value: Any, wanted: Any) -> bool:
    numbers = isinstance(value, int | float) and isinstance(wanted, int | float)
    return numbers or type(value) is type(wanted)


def _reach(value: Any, path: list[str]) -> list[Any]:
    """Return every value at a path; lists are walked through, as JSONata does."""
    if isinstance(value, list):
        return [found for entry in value for found in _reach(entry, path)]
    if not path:
        return [] if value is None else [value]
    return _reach(value[path[0]], path[1:]) if isinstance(value, dict) and path[0] in value else []
