"""What Infobip's answers tell: four error envelopes, results by index, and the status of a message. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connectors.outbound import safe_words

_SHORT: Final = 1000
"""Item codes are an HTTP status and three digits of their own: 400100, 409100 (CONTRACT 2)."""

MessageState = Literal["accepted", "sent", "delivered", "failed"]
# status.groupId (CONTRACT 1): 0 OK, 1 PENDING, 2 UNDELIVERABLE, 3 DELIVERED, 4 EXPIRED, 5 REJECTED.
_GROUPS: Final[dict[int, MessageState]] = {
    0: "accepted", 1: "accepted", 2: "failed", 3: "delivered", 4: "failed", 5: "failed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PersonResult:
    """What became of one person of an upsert.

    Attributes:
        id: Infobip's own; None when it was not written.
        status: 200 when written; else the HTTP status that the item's code begins with; 0 when the answer passes
            over this person.
        problems: names of fields and codes; no value.
    """

    id: str | None
    status: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageStatus:
    """What Infobip says of a message it was given."""

    state: MessageState
    name: str | None = None
    error: str | None = None


def problems(document: Any) -> Iterator[str]:
    """Yield codes and field names of an error document, whichever of the four envelopes it is (CONTRACT 1)."""
    if not isinstance(document, Mapping):
        return
    yield from (str(document[key]) for key in ("errorCode",) if document.get(key))
    if document.get("code") is not None:
        yield f"code-{document['code']}"
    for name in ("details", "violations", "errors"):
        entries = document.get(name)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, Mapping):
                yield from (str(entry[key]) for key in ("property",) if entry.get(key))
                yield from problems({"code": entry["code"]} if entry.get("code") is not None else {})
    request_error = document.get("requestError")
    inner = request_error.get("serviceException") if isinstance(request_error, Mapping) else None
    if isinstance(inner, Mapping):
        yield str(inner.get("messageId"))
        fields = inner.get("validationErrors")
        yield from (str(field) for field in fields) if isinstance(fields, Mapping) else ()


def person_results(document: Any, count: int) -> list[PersonResult]:
    """Return what became of each person of an upsert, in the order of the request (CONTRACT 2: 207, by index)."""
    found = [PersonResult(None, 0)] * count
    if not isinstance(document, Mapping):
        return found
    for entry in _entries(document, "results", count):
        id_ = entry.get("id")
        found[entry["index"]] = PersonResult(None if id_ is None else str(id_), 200)
    for entry in _entries(document, "errors", count):
        code = entry.get("code")
        status = code // _SHORT if isinstance(code, int) and code >= _SHORT else 400
        found[entry["index"]] = PersonResult(None, status, tuple(safe_words(problems(entry))))
    return found


def message_status(document: Any) -> MessageStatus | None:
    """Return the status of the first message in an answer (CONTRACT 5, 6); None when it shows none."""
    if not isinstance(document, Mapping):
        return None
    for name in ("messages", "results"):
        entries = document.get(name)
        if isinstance(entries, Sequence) and entries and isinstance(entries[0], Mapping):
            return _status(entries[0])
    return _status(document) if "status" in document else None


def logged(document: Any, message: str) -> MessageStatus | None:
    """Return what a log tells of our message id; None when it has nothing under it, and so proves its absence.

    The log is asked for this one id (NOTES 6). One that shows others has not heeded that: it is a page of all that was
    sent, and ours may be on another one; so it may be when an empty page says that more follow (CONTRACT 5: cursor).

    Raises:
        ValueError: the answer is no log, or not of this id, so it proves nothing.
    """
    results = document.get("results") if isinstance(document, Mapping) else None
    if not isinstance(results, list):
        raise ValueError("it is no log")  # noqa: TRY004  about a document, not about an argument
    for entry in results:
        if isinstance(entry, Mapping) and entry.get("messageId") == message:
            return _status(entry)
    cursor = document.get("cursor")
    if results or (isinstance(cursor, Mapping) and cursor.get("nextCursor")):
        raise ValueError("it is a page of other messages")
    return None


def _status(entry: Mapping[str, Any]) -> MessageStatus:
    status = entry.get("status")
    status = status if isinstance(status, Mapping) else {}
    error = entry.get("error")
    group, name = status.get("groupId"), status.get("name") or status.get("groupName")
    state = _GROUPS.get(group, "accepted") if isinstance(group, int) else "accepted"
    told = error.get("name") if isinstance(error, Mapping) else None
    reason = str(told or name or "rejected") if state == "failed" else None
    return MessageStatus(state, None if name is None else str(name), reason)


def _entries(document: Mapping[str, Any], name: str, count: int) -> Iterator[Mapping[str, Any]]:
    entries = document.get(name)
    for entry in entries if isinstance(entries, list) else ():
        index = entry.get("index") if isinstance(entry, Mapping) else None
        if isinstance(index, int) and 0 <= index < count:
            yield entry
