"""VTEX's Master Data triggers and OMS hooks become hints (contracts/vtex NOTES 2.8, 4.5). Pure.

A hint is never data: it says that a customer or an order is to be fetched now, so a forged one costs a read.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from connectors.pixel.records import Record, Sender
from connectors.pixel.wire import text
from schemas import topics
from schemas.clock import to_text
from schemas.events import encode

Resource = Literal["customer", "order"]
RESOURCES: Final[dict[str, Resource]] = {"customers": "customer", "orders": "order"}
_IDS: Final = {
    "customer": ("id", "Id", "ID", "documentId", "customer_id"),
    "order": ("OrderId", "orderId", "order_id", "id"),
}
_DELETED: Final = frozenset(("true", "1", "yes", "deleted"))


class TriggerError(ValueError):
    """The body names no document."""


def is_ping(document: Any) -> bool:
    """Return whether VTEX is only checking the hook's address; it must get 200, or refuses the configuration."""
    return isinstance(document, Mapping) and text(document.get("hookConfig")) == "ping"


def read_hints(document: Any, resource: Resource, sender: Sender, *, deleted: bool = False) -> list[Record]:
    """Return the hints in a trigger's or hook's body: one document, or an array.

    Args:
        document: the decoded body; templates of Master Data write every value as a string.
        resource: what the address says it is about.
        sender: the store, and when the body came.
        deleted: whether the address says that the record was deleted (`?deleted=true`).

    Raises:
        TriggerError: when an entry names no document.
    """
    listed = document if isinstance(document, list) else [document]
    return [_hint(entry, resource, sender, deleted=deleted) for entry in listed]


def _hint(entry: Any, resource: Resource, sender: Sender, *, deleted: bool) -> Record:
    fields = entry if isinstance(entry, Mapping) else {}
    id = next(filter(None, (text(fields.get(name)) for name in _IDS[resource])), None)  # noqa: A001  the wire's name
    if id is None or "@" in id:
        raise TriggerError(f"the body names no {resource}: send {{{_IDS[resource][0]!r}: ...}}")
    told = fields.get("deleted", "")
    hint = {
        "store": sender.store,
        "resource": resource,
        "id": id,
        "deleted": deleted or (isinstance(told, (str, int)) and str(told).strip().lower() in _DELETED),
        "received_at": to_text(sender.received),
    }
    return Record(topics.VTEX_HINTS.name, topics.VTEX_HINTS.key(sender.store), encode(hint), event=False)
