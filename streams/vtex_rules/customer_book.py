"""What one event changes in a store's customers: itself, and the provisional ones whom it explains."""

from collections.abc import Iterator, Mapping
from typing import Any

from streams.engine.agent import View
from streams.vtex_rules.customer import (
    Entry,
    State,
    after_deletion,
    after_order,
    after_read,
    changed_between,
    content_of,
    is_real,
    replaced,
)
from streams.vtex_rules.customer_links import DOCUMENT, Links, buyer_entry, identifiers
from streams.vtex_rules.versions import Version


class CustomerBook:
    """The customers of one store while one event is applied.

    Args:
        customers: view of the table of states, keyed `store/customer`.
        links: of the same store.
        store: its name.
    """

    def __init__(self, customers: View, links: Links, store: str) -> None:
        self._customers = customers
        self._links = links
        self._store = store
        self._before: dict[str, State] = {}
        self._after: dict[str, State] = {}

    def read(
        self, customer: str, told: Mapping[str, Any], place: Mapping[str, Any], source: str, at: Version
    ) -> None:  # fmt: skip
        """A CL document was read; arguments as those of `after_read`."""
        state = self._state(customer)
        known = set(identifiers(state["told"]["told"])) if "told" in state else set()
        self._set(customer, after_read(state, told, place, source, at))
        self._link([key for key in identifiers(told) if key not in known], [DOCUMENT, customer])

    def gone(self, customer: str, moment: int) -> None:
        """A document was found deleted at a moment, in ticks."""
        self._set(customer, after_deletion(self._state(customer), moment))

    def bought(self, told: Mapping[str, Any], source: str, at: Version) -> None:
        """An order told of its buyer; arguments as those of `after_order`."""
        entry = buyer_entry(told)
        keys = identifiers(told)
        state = self._state(entry[1])
        if not state and all(self._links.documented(key) for key in keys):
            return  # the usual buyer: a customer whom a document shows
        if "by" not in state and not is_real(state):
            self._set(entry[1], after_order(state, told, source, at))
        self._link(keys, entry)

    def _link(self, keys: list[str], entry: Entry) -> None:
        for provisional, better in self._links.add(keys, entry):
            state = self._state(provisional[1])
            if not is_real(state) and better < state.get("by", provisional):
                self._set(provisional[1], replaced(state, better, self._stands_for(better)))

    def _stands_for(self, entry: Entry) -> str:
        """Return who stands for a customer today: itself, or who has replaced it."""
        while (by := self._state(entry[1]).get("by")) is not None:
            entry = by
        return str(entry[1])

    def _state(self, customer: str) -> State:
        if customer not in self._after:
            state = self._customers.get(f"{self._store}/{customer}") or {}
            self._before[customer] = self._after[customer] = state
        return self._after[customer]

    def _set(self, customer: str, state: State) -> None:
        self._after[customer] = state

    def rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Write what has changed to the table; yield the customers whose rows changed, the replaced ones first."""
        published = []
        for customer, state in self._after.items():
            before = self._before[customer]
            if state == before:
                continue
            content = _news(before, state)
            if content is not None:
                state = {**state, "version": state.get("version", 0) + 1}  # noqa: PLW2901  the next version of it
                published.append((customer, {**content, "version": state["version"]}))
            self._customers[f"{self._store}/{customer}"] = state
        yield from sorted(published, key=lambda row: "replaced_by" not in row[1])


def _news(before: State, after: State) -> dict[str, Any] | None:
    """Return what the row says now; None when that is nothing new to its readers."""
    content = content_of(after)
    known = bool(after.get("version"))
    if content is None or (not known and "replaced_by" in content):
        return None
    changed = changed_between(content_of(before) if known else None, content)
    return {**content, "changed": changed} if changed or not known else None
