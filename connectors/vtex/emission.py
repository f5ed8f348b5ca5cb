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

    def customer(self, data: dict[str, Any], content: str, now: int) -> tuple[bytes, bytes]:
        """Return key and value of a changed customer; `content` as `content_of` gives it, `now` in Unix ms."""
        version = data["source_version"]
        at = version_ms(version)
        return self._event(
            CUSTOMER_CHANGED, data["customer_id"], data, f"{version}:{content}", now if at is None else at, now
        )

    def deleted(self, customer: str, read_by: ReadBy, now: int) -> tuple[bytes, bytes]:
        """Return key and value of a deleted customer; two deletions of one id are one, unless it came back between."""
        data = {"customer_id": customer, "read_by": read_by}
        return self._event(CUSTOMER_DELETED, customer, data, str(now), now, now)

    def order(self, data: dict[str, Any], content: str, now: int) -> tuple[bytes, bytes]:
        """Return key and value of a changed order."""
        changed = data["changed_at"]
        return self._event(
            ORDER_CHANGED, data["order_id"], data, f"{changed}:{content}", version_ms(changed) or now, now
        )

    def _event(  # noqa: PLR0917  one call for each kind
        self, kind: str, subject: str, data: dict[str, Any], version: str, at: int, now: int
    ) -> tuple[bytes, bytes]:
        identity = f"{kind}:{self._store}:{subject}:{version}"
        envelope = {
            "specversion": "1.0", "id": blake2b(identity.encode(), digest_size=16).hexdigest(), "source": self._source,
            "type": kind, "subject": subject, "time": to_text(at), "store": self._store, "receivedtime": to_text(now),
            "data": data,
        }  # fmt: skip
        return VTEX_CHANGES.key(self._store, subject), encode(envelope)


def content_of(data: dict[str, Any]) -> str:
    """Return a digest of what data says, apart from when it was changed and why it was read."""
    said = {name: value for name, value in data.items() if name not in _NOT_CONTENT}
    return blake2b(encode(said), digest_size=12).hexdigest()
