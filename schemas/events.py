"""The envelope of everything that happened: CloudEvents 1.0, structured JSON (DESIGN section 2)."""

from typing import Any, Final, Generic, Literal, TypeVar

import orjson
import uuid_utils

from schemas.clock import to_text
from schemas.model import Instant, Model, Store

CONTENT_TYPE: Final = (("content-type", b"application/cloudevents+json"),)
_REQUIRED: Final = ("id", "type", "store", "data")

Data = TypeVar("Data")


class CloudEvent(Model, Generic[Data]):
    """CloudEvents 1.0 with our extensions `store` and `receivedtime`."""

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str | None = None
    time: Instant
    store: Store
    receivedtime: Instant
    data: Data


class InvalidEventError(ValueError):
    """The bytes are no event of ours; says which part is missing or wrong."""


def new_id() -> str:
    """Return a UUIDv7: unique, and sorted by the time it was minted."""
    return str(uuid_utils.uuid7())


def event(
    *,
    type: str,  # noqa: A002  the CloudEvents attribute
    source: str,
    store: str,
    data: dict[str, Any],
    time: int,
    received: int,
    id: str | None = None,  # noqa: A002  the CloudEvents attribute
    subject: str | None = None,
) -> dict[str, Any]:
    """Return an envelope as a dictionary, ready for `encode`; `time` and `received` are Unix milliseconds."""
    envelope = {
        "specversion": "1.0",
        "id": id or new_id(),
        "source": source,
        "type": type,
        "time": to_text(time),
        "store": store,
        "receivedtime": to_text(received),
        "data": data,
    }
    if subject is not None:
        envelope["subject"] = subject
    return envelope


def encode(value: Any) -> bytes:
    """Return the JSON bytes of an envelope or row.

    Copied out of the kilobyte into which orjson writes: kept beside others, as they are, that costs more than to copy
    (docs/performance.md, "What made the difference", 2).
    """
    return bytes(memoryview(orjson.dumps(value)))


def decode(raw: bytes | None) -> dict[str, Any]:
    """Return the envelope in a record's value.

    Raises:
        InvalidEventError: when it is no JSON object or lacks `id`, `type`, `store` or `data`.
    """
    if raw is None:
        raise InvalidEventError("the record has no value")
    try:
        envelope = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidEventError(f"the value is not JSON: {error}") from error
    if not isinstance(envelope, dict):
        raise InvalidEventError("the value is not a JSON object")
    for name in _REQUIRED:
        if name not in envelope:
            raise InvalidEventError(f"the event has no {name!r}")
    if not isinstance(envelope["data"], dict):
        raise InvalidEventError("the event's data is not an object")
    return envelope
