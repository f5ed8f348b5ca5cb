"""Infobip's webhooks: delivery, seen and click reports (contracts/infobip CONTRACT 7). Pure.

Reports come in arrays; one unreadable entry stops only itself. Redelivery happens, so the id of a report is made
of what identifies it: the same report sent twice is the same event twice.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from connectors.pixel.privacy import Scrubber
from connectors.pixel.records import SOURCE, Record, Sender
from connectors.pixel.wire import text
from schemas import topics
from schemas.clock import to_ms, to_text
from schemas.events import encode, event
from schemas.money import to_micros

# status.groupId of Infobip's general status groups; 3 is delivered (CONTRACT 7).
_GROUPS: Final = {0: "accepted", 1: "sent", 2: "failed", 3: "delivered", 4: "failed", 5: "failed"}
_GROUP_NAMES: Final = {
    "ACCEPTED": "accepted", "PENDING": "sent", "UNDELIVERABLE": "failed", "DELIVERED": "delivered",
    "EXPIRED": "failed", "REJECTED": "failed",
}  # fmt: skip
_CHANNELS: Final = {"SMS": "sms", "WHATSAPP": "whatsapp"}
# The vendor's sample gives no time of the click itself (NOTES: sendDateTime is the time of sending by its name).
_CLICK_TIMES: Final = ("clickedAt", "clickDateTime", "clickTime", "eventTime")
_MOST_PARTS: Final = 1000


class ReportError(ValueError):
    """This entry of a report cannot be read; says which part is missing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that could not be read, with its bytes, for `dead.letters`."""

    reason: str
    raw: bytes


def entries(document: Any) -> list[Any]:
    """Return the entries of a webhook: `{"results": [...]}`, a bare array, or one report."""
    if isinstance(document, Mapping):
        results = document.get("results")
        return results if isinstance(results, list) else [document]
    return document if isinstance(document, list) else [document]


def read_reports(document: Any, sender: Sender, channel: str | None = None) -> tuple[list[Record], list[Refused]]:
    """Return the records of a webhook's body for `message.reports`, and the entries that could not be read.

    Args:
        document: the decoded body.
        sender: the store, and when the body came.
        channel: `sms` or `whatsapp`, where the webhook's address tells it.
    """
    records: list[Record] = []
    refused: list[Refused] = []
    for entry in entries(document):
        try:
            records.append(_record(entry, sender, channel))
        except ReportError as error:
            refused.append(Refused(str(error), _raw(entry)))
        except RecursionError:
            refused.append(Refused("the report is nested too deeply", _raw(entry)))
    return records, refused


def _raw(entry: Any) -> bytes:
    """Return an entry's bytes; none of one that nests deeper than JSON can be written."""
    try:
        return orjson.dumps(entry)
    except orjson.JSONEncodeError:
        return b""


def _record(entry: Any, sender: Sender, channel: str | None) -> Record:
    if not isinstance(entry, Mapping):
        raise ReportError("the report is no JSON object")
    message = text(entry.get("messageId"))
    if message is None:
        raise ReportError("the report has no messageId")
    status, at = _status(entry, sender)
    scrubber = Scrubber(sender.secret, sender.country)
    message = scrubber.text(message)
    price, currency, parts = _price(entry)
    vendor = _map(entry.get("status"))
    data = {
        "store": sender.store,
        "message": message,
        "campaign": _campaign(entry, message, scrubber),
        "channel": _channel(entry, channel),
        "status": status,
        "at": to_text(at),
        "received_at": to_text(sender.received),
        "recipient": _recipient(entry, scrubber),
        "price_micros": price,
        "currency": currency,
        "parts": parts,
        "error": _error(entry),
        "vendor": "infobip",
        "vendor_status": text(vendor.get("name")) or text(vendor.get("groupName")),
    }
    envelope = event(
        type="message.report",
        source=SOURCE,
        store=sender.store,
        data={name: value for name, value in data.items() if value is not None},
        time=at,
        received=sender.received,
        id=_identity(entry, message, status),
        subject=message,
    )
    key = topics.MESSAGE_REPORTS.key(sender.store, message)
    return Record(topics.MESSAGE_REPORTS.name, key, encode(envelope), event=True)


def _status(entry: Mapping[str, Any], sender: Sender) -> tuple[str, int]:
    if text(entry.get("notificationType")) == "CLICKED" or ("url" in entry and "status" not in entry):
        return "clicked", _instant(entry, _CLICK_TIMES, sender.received)
    if "seenAt" in entry:
        return "seen", _instant(entry, ("seenAt",), sender.received)
    status = _map(entry.get("status"))
    group = status.get("groupId")
    known = _GROUPS.get(group) if isinstance(group, int) else None
    known = known or _GROUP_NAMES.get(str(status.get("groupName")).upper())
    if known is None:
        raise ReportError("the report has neither a known status.groupId, nor seenAt, nor notificationType CLICKED")
    times = ("sentAt",) if known in {"accepted", "sent"} else ("doneAt", "sentAt")
    return known, _instant(entry, times, sender.received)


def _instant(entry: Mapping[str, Any], names: tuple[str, ...], otherwise: int) -> int:
    for name in names:
        value = entry.get(name)
        if value is None or value == "":
            continue
        try:
            moment = to_ms(value) if isinstance(value, str) else int(value)
            to_text(moment)
        except (ValueError, OverflowError, TypeError) as error:
            raise ReportError(f"{name} is no instant") from error
        return moment
    return otherwise


def _price(entry: Mapping[str, Any]) -> tuple[int | None, str | None, int]:
    price = _map(entry.get("price"))
    count = entry.get("messageCount", entry.get("smsCount", 1))
    parts = count if isinstance(count, int) and not isinstance(count, bool) and 0 < count <= _MOST_PARTS else 1
    currency = text(price.get("currency"))
    value = price.get("pricePerMessage")
    if value is None or currency is None or not (len(currency) == 3 and currency.isascii() and currency.isalpha()):  # noqa: PLR2004  ISO 4217
        return None, None, parts
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        raise ReportError("price.pricePerMessage is no number") from error
    if not amount.is_finite() or not 0 <= amount < 1_000_000:  # noqa: PLR2004  no message costs a million
        raise ReportError("price.pricePerMessage is no price")
    return to_micros(amount), currency.upper(), parts


def _campaign(entry: Mapping[str, Any], message: str, scrubber: Scrubber) -> str | None:
    """`campaignReferenceId`, else `callbackData` (an id, or JSON with one), else the head of our own message id."""
    told = text(entry.get("campaignReferenceId")) or _callback(entry.get("callbackData"))
    if told is None and "." in message:
        told = message.partition(".")[0] or None
    return scrubber.text(told) if told else None


def _callback(data: Any) -> str | None:
    if isinstance(data, str) and data.lstrip().startswith("{"):
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            return None
    if isinstance(data, Mapping):
        return text(data.get("campaign"))
    return text(data)


def _channel(entry: Mapping[str, Any], told: str | None) -> str | None:
    named = text(entry.get("channel")) or text(entry.get("messageType"))
    if named is not None and named.upper() in _CHANNELS:
        return _CHANNELS[named.upper()]
    return told


def _recipient(entry: Mapping[str, Any], scrubber: Scrubber) -> str | None:
    number = text(entry.get("to")) or text(entry.get("recipient"))
    if number is None:
        return None
    # Infobip writes E.164 without its plus.
    return scrubber.phone(f"+{number}" if number[0].isdigit() else number)


def _error(entry: Mapping[str, Any]) -> str | None:
    error = _map(entry.get("error"))
    name = text(error.get("name"))
    return None if name in {None, "NO_ERROR"} else name


def _identity(entry: Mapping[str, Any], message: str, status: str) -> str:
    """Redelivery is recognised by (messageId, status id, doneAt); a click by all that it tells (CONTRACT 7)."""
    if status == "clicked":
        parts: list[Any] = [message, status, *(entry.get(name) for name in ("url", "sendDateTime", *_CLICK_TIMES))]
    elif status == "seen":
        parts = [message, status]
    else:
        parts = [message, status, _map(entry.get("status")).get("id"), entry.get("doneAt")]
    return "infobip-" + hashlib.sha256(orjson.dumps([str(part) for part in parts])).hexdigest()[:32]


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
