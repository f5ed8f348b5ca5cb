"""Master Data v1 triggers: rules set in the admin that call an address when a document changes (NOTES 2.8)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from sandbox.vtex.courier import Parcel
from sandbox.vtex.rows import Document

Rule = Literal["created", "changed", "deleted"]
_PLACE: Final = re.compile(r"\{!(\w+)\}")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One trigger with the action "HTTP request". Version 1 never tries again.

    Attributes:
        rule: a record is created, changed (created included, as VTEX's "a record is changed" does), or deleted.
        body: the template of the JSON body; `{!field}` stands for a field's value, always as text.
        attributes: only changes of these fields count ("an attribute value is changed"); empty for any.
    """

    url: str
    rule: Rule = "changed"
    entity: str = "CL"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=lambda: {"id": "{!id}", "updatedIn": "{!updatedIn}"})
    attributes: frozenset[str] = frozenset()

    def parcel(self, entity: str, before: Document | None, after: Document | None) -> Parcel | None:
        """Return the call that a change causes, if it does."""
        if entity != self.entity or not self._matches(before, after):
            return None
        document = after or before or {}
        body = {name: _filled(template, document) for name, template in self.body.items()}
        return Parcel(self.url, self.headers, orjson.dumps(body))

    def _matches(self, before: Document | None, after: Document | None) -> bool:
        if self.rule == "deleted":
            return after is None
        if self.rule == "created":
            return before is None
        if after is None:
            return False
        old = before or {}
        return not self.attributes or any(old.get(name) != after.get(name) for name in self.attributes)


def _filled(template: str, document: Document) -> str:
    return _PLACE.sub(lambda found: _text(document.get(found[1])), template)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
