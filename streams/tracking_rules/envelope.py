"""From a record of `pixel.events` to an event whose shape is known, and back: whatever else is there is `Poison`."""

import re
from typing import Any, Final

import orjson

from schemas.clock import to_ms, to_text
from schemas.events import InvalidEventError, decode, encode
from schemas.model import HASH, STORE_NAME
from schemas.partition import key_of
from schemas.pixel import HASHES
from streams.engine.agent import Poison, Record

_MAPS: Final = frozenset(("page", "utm", "device"))
_ADDED: Final = ("at", "at_received", "supplement", "amount_minor", "amount_currency", "landing")


class _Nobody:
    """The type of what only this agent may say of an event: no JSON value has it."""


_TEXTS: Final = (
    "action", "given_id", "session", "identity_source", "amount", "currency", "object", "object_type", "order",
    "order_form", "tracked_at", "consent", *HASHES,
)  # fmt: skip
_SHAPES: Final[dict[str, type]] = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys((*_MAPS, "parameters"), dict),
    **dict.fromkeys(_ADDED, _Nobody),
}
_KINDS: Final = frozenset(("event", "acknowledgement", "identification"))
_SENDERS: Final = frozenset(("page", "server", "app"))
_CHOICES: Final = frozenset((None, "granted", "denied"))
_STORE: Final = re.compile(STORE_NAME)
_HASH: Final = re.compile(HASH)
_OURS: Final = len("2026-11-24T10:00:00.123Z")
_LAST_MS: Final = 253_402_300_799_999
"""9999-12-31, the last instant RFC 3339 can write."""


class Event:
    """One event on its way through the agent; its data is its own, and changed in place.

    Attributes:
        store: the store's name.
        id: the CloudEvents id.
        given: whether its sender gave the id.
        data: a `TrackingEvent`.
        received: Unix milliseconds; `received_text` is RFC 3339.
        observed: Unix milliseconds of `utm.observed_at`.
        at: Unix milliseconds, when it happened; the receipt until `moments` has looked.
    """

    __slots__ = ("at", "data", "given", "id", "observed", "received", "received_text", "store")

    def __init__(self, store: str, id: str, data: dict[str, Any], received: int, received_text: str) -> None:  # noqa: A002  CloudEvents' own word
        self.store = store
        self.id = id
        self.given = "given_id" in data
        self.data = data
        self.received = self.at = received
        self.received_text = received_text
        self.observed: int | None = None


def read(record: Record, store: str) -> Event:
    """Return the event in a record.

    Args:
        record: of `pixel.events`.
        store: that its key names.

    Raises:
        Poison: it is no event of a page or back end of this store.
    """
    try:
        envelope = decode(record.value)
    except InvalidEventError as error:
        raise Poison(str(error)) from None
    if envelope["store"] != store:
        raise Poison("the event's store is not the one that its key names")
    if not (isinstance(envelope["id"], str) and envelope["id"]):
        raise Poison("the event's id is no text")
    data = envelope["data"]
    _check(data)
    data["store"] = store
    text = envelope.get("receivedtime")
    received = record.timestamp if text is None else instant(text)
    if text is None or len(text) != _OURS or text[-1] != "Z":
        text = to_text(received)  # the collector writes one form; whoever else writes another gets it put right
    event = Event(store, envelope["id"], data, received, text)
    utm = data.get("utm")
    if utm and utm.get("observed_at") is not None:
        event.observed = instant(utm["observed_at"])
    return event


def write(event: Event) -> tuple[bytes, bytes]:
    """Return the key and the value of the event's record in `tracking.events`.

    Raises:
        Poison: it is nested more deeply than JSON can be written.
    """
    data = event.data
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": "tracking",
        "type": f"tracking.{data.get('kind', 'event')}",
        "time": data["at"],
        "store": event.store,
        "receivedtime": event.received_text,
        "data": data,
    }
    try:
        value = encode(envelope)
    except orjson.JSONEncodeError:
        raise Poison("the event is nested too deeply") from None
    return key_of(event.store, data.get("session") or event.id), value


def store_name(prefix: bytes) -> str:
    """Return the store that stands before a key's first slash.

    Raises:
        Poison: no store has such a name.
    """
    name = prefix.decode("utf-8", "replace")
    if not _STORE.fullmatch(name):
        raise Poison("the record's key names no store")
    return name


def instant(text: Any) -> int:
    """Return Unix milliseconds of an instant in an event.

    Raises:
        Poison: it is none.
    """
    try:
        moment = to_ms(text)
    except (ValueError, TypeError, OverflowError):
        raise Poison("an instant of the event is unreadable") from None
    if not 0 < moment <= _LAST_MS:
        raise Poison("an instant of the event is out of bounds")
    return moment


def _check(data: dict[str, Any]) -> None:
    for name, value in data.items():
        shape = _SHAPES.get(name)
        if shape is None or value is None:
            continue
        if type(value) is not shape:
            raise Poison(f"the event's {name} is a {type(value).__name__}")
        if shape is dict and name in _MAPS:
            _check_texts(name, value)
    for name in HASHES:
        if name in data and data[name] is not None and not _HASH.fullmatch(data[name]):
            raise Poison(f"the event's {name} is no hash")
    get = data.get
    if get("kind", "event") not in _KINDS or get("sent_by", "page") not in _SENDERS or get("consent") not in _CHOICES:
        raise Poison("the event's kind, sender or consent is not one that we know")
    if get("parameters", data) is None:
        raise Poison("the event's parameters are no object")


def _check_texts(name: str, parts: Any) -> None:
    for part in parts.values():
        if type(part) is not str and part is not None:
            raise Poison(f"a part of the event's {name} is no text")
