"""From data to the records of `vtex.changes`. Pure.

An event's id is made of what it says, so that a re-reading of the same content has the same id and is recognised: the
time of the reading and what made us read stand in it, but not in its id.
"""

from hashlib import blake2b
from typing import Any

from connectors.vtex.instants import version_ms
from schemas.clock import to_text
from schemas.events import encode
from schemas.topics import VTEX_CHANGES
from schemas.vtex import CUSTOMER_CHANGED, CUSTOMER_DELETED, ORDER_CHANGED, ReadBy

_NOT_CONTENT = frozenset(("read_by", "source_version", "changed_at"))


class Emitter:
    """Makes one store's events.

    Args:
        store: its name.
        account: of VTEX.
    """

    def __init__(self, store: str, account: str) -> None:
        self._store = store
        self._source = f"vtex/{account}"

    def customer(self, data: dict[str, Any], content: str, read_at: int) -> tuple[bytes, bytes]:
        """Return key and value of a changed customer.

        Args:
            data: of the event.
            content: its digest, as `content_of` gives it.
            read_at: when the reading began, Unix milliseconds: of two readings of one version the later counts.
        """
        version = data["source_version"]
        at = version_ms(version)
        return self._event(CUSTOMER_CHANGED, data["customer_id"], data, f"{version}:{content}", at, read_at)

    def deleted(self, customer: str, read_by: ReadBy, read_at: int) -> tuple[bytes, bytes]:
        """Return key and value of a deleted customer; two deletions of one id are one, unless it came back between."""
        data = {"customer_id": customer, "read_by": read_by}
        return self._event(CUSTOMER_DELETED, customer, data, str(read_at), read_at, read_at)

    def order(self, data: dict[str, Any], content: str, read_at: int) -> tuple[bytes, bytes]:
        """Return key and value of a changed order."""
        changed = data["changed_at"]
        at = version_ms(changed)
        return self._event(ORDER_CHANGED, data["order_id"], data, f"{changed}:{content}", at, read_at)

    def _event(  # noqa: PLR0917  one call for each kind
        self, kind: str, subject: str, data: dict[str, Any], version: str, at: int | None, read_at: int
    ) -> tuple[bytes, bytes]:
        identity = f"{kind}:{self._store}:{subject}:{version}"
        envelope = {
            "specversion": "1.0", "id": blake2b(identity.encode(), digest_size=16).hexdigest(), "source": self._source,
            "type": kind, "subject": subject, "time": to_text(read_at if at is None else at), "store": self._store,
            "receivedtime": to_text(read_at), "data": data,
        }  # fmt: skip
        return VTEX_CHANGES.key(self._store, subject), encode(envelope)


def content_of(data: dict[str, Any]) -> str:
    """Return a digest of what data says, apart from when it was changed and why it was read."""
    said = {name: value for name, value in data.items() if name not in _NOT_CONTENT}
    return blake2b(encode(said), digest_size=12).hexdigest()
