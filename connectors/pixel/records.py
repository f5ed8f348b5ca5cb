"""From what was told to Kafka records: the one place where the collector's values meet the topics' models."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from connectors.pixel.privacy import Scrubber, may_keep, personal_texts
from connectors.pixel.wire import Told
from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, event, new_id
from schemas.topics import Topic

SOURCE = "collector"
_LATENCY_MS = 5_000
"""What a slow network takes is no wrong clock."""


class Record(NamedTuple):
    """A record on its way; `event` says whether it carries the CloudEvents content type."""

    topic: str
    key: bytes
    value: bytes
    event: bool


@dataclass(slots=True)
class Sender:
    """Where a body came from: the request's own facts, already masked."""

    store: str
    secret: bytes
    country: str
    privacy: str
    received: int
    network: str | None = None
    user_agent: str | None = None
    opted_out: bool = False
    server: bool = False


class Sealed(NamedTuple):
    """What a body became: the event's id, the personal record to be kept first, and the event."""

    id: str
    identity: Record | None
    event: Record


def seal(told: Told, sender: Sender) -> Sealed:
    """Return the records of one body (`pixel.identities` first, then `pixel.events`).

    The identification is to be acknowledged before the event is sent: an event without its identification could
    never be joined, an identification without its event is merely early.
    """
    if told.consent is None and sender.opted_out:
        told.consent = "denied"  # Global Privacy Control, unless this very page was told otherwise
    told.tracked_at = _by_our_clock(told, sender.received)
    scrubber = Scrubber(sender.secret, sender.country)
    texts = personal_texts(told.identity)
    if texts:
        scrubber.learn(texts)
    id = scrubber.text(told.given_id) if told.given_id else new_id()  # noqa: A001  CloudEvents' own word
    session = scrubber.text(told.session) if told.session else None
    data = _bare(told, sender, id) if not may_keep(sender.privacy, told.consent) else None
    identity = None
    if data is None:
        data = _data(told, sender, scrubber, session)
        if told.given_id:
            data["given_id"] = id
        identity = _identification(told, sender, data, session, id)
    envelope = event(
        type=f"pixel.{told.kind}",
        source=SOURCE,
        store=sender.store,
        data=data,
        time=told.tracked_at or sender.received,
        received=sender.received,
        id=id,
    )
    key = topics.PIXEL_EVENTS.key(sender.store, data.get("session") or id)
    return Sealed(id, identity, Record(topics.PIXEL_EVENTS.name, key, encode(envelope), event=True))


def _by_our_clock(told: Told, received: int) -> int | None:
    """Return when it happened by our clock: what the sender's clock is wrong by shows in its time of sending."""
    if told.tracked_at is None or told.sent_at is None or abs(received - told.sent_at) < _LATENCY_MS:
        return told.tracked_at
    corrected = told.tracked_at + received - told.sent_at
    return corrected if 0 < corrected <= received else told.tracked_at


def _bare(told: Told, sender: Sender, id: str) -> dict[str, Any]:  # noqa: A002  CloudEvents' own word
    """Without consent only the fact is kept, so that the event still has its fate (`filtered: consent`)."""
    scrubber = Scrubber(sender.secret, sender.country)
    data: dict[str, Any] = {"store": sender.store, "kind": told.kind, "consent": told.consent}
    if told.action:
        data["action"] = scrubber.text(told.action)
    if told.given_id:
        data["given_id"] = id
    data["sent_by"] = _sent_by(told, sender)
    return data


def _data(told: Told, sender: Sender, scrubber: Scrubber, session: str | None) -> dict[str, Any]:
    clean = scrubber.text
    data: dict[str, Any] = {"store": sender.store, "kind": told.kind, "sent_by": _sent_by(told, sender)}
    if session is not None:
        data["session"] = session
    data |= _scalars(told, scrubber)
    if told.page:
        data["page"] = {name: clean(value) for name, value in told.page.items()}
    if told.utm is not None:
        data["utm"] = _utm(told.utm, scrubber)
    if told.identity:
        data |= _hashes(told.identity, scrubber)
    if told.parameters:
        data["parameters"] = scrubber.tree(told.parameters)
    device = {"user_agent": sender.user_agent and clean(sender.user_agent), "network": sender.network}
    data["device"] = {name: value for name, value in device.items() if value is not None}
    return data


def _scalars(told: Told, scrubber: Scrubber) -> dict[str, str]:
    data = {}
    for name in ("action", "currency", "object", "object_type", "order", "order_form"):
        value = getattr(told, name)
        if value is not None:
            data[name] = scrubber.text(value)
    if told.amount is not None:
        data["amount"] = told.amount
    if told.tracked_at is not None:
        data["tracked_at"] = to_text(told.tracked_at)
    if told.consent is not None:
        data["consent"] = told.consent
    return data


def _hashes(identity: dict[str, Any], scrubber: Scrubber) -> dict[str, str]:
    customer = identity.get("customer")
    hashes = {
        # vtex-checkout identifies by the e-mail itself (A3.4).
        "email_hash": scrubber.email(identity.get("email")) or scrubber.email(customer),
        "phone_hash": scrubber.phone(identity.get("phone")),
        "customer_hash": scrubber.customer(customer),
        "identity_source": identity.get("source") and scrubber.text(identity["source"]),
    }
    return {name: value for name, value in hashes.items() if value is not None}


def _utm(told: dict[str, Any], scrubber: Scrubber) -> dict[str, Any]:
    utm = {name: scrubber.text(value) for name, value in told.items() if name != "observed_at"}
    if told.get("observed_at") is not None:
        utm["observed_at"] = to_text(told["observed_at"])
    return utm


def _sent_by(told: Told, sender: Sender) -> str:
    return "app" if told.app else "server" if sender.server else "page"


def _identification(
    told: Told,
    sender: Sender,
    data: dict[str, Any],
    session: str | None,
    id: str,  # noqa: A002  CloudEvents' own word
) -> Record | None:
    """Return the record of the values themselves; an id without any value tells nothing that the hash does not."""
    identity = told.identity
    if not identity or (told.kind == "event" and not (data.get("email_hash") or data.get("phone_hash"))):
        return None
    hashes = {name: data.get(name) for name in ("email_hash", "phone_hash", "customer_hash")}
    row = {
        "store": sender.store,
        "session": session,
        "event_id": id,
        **identity,
        **hashes,
        "received_at": to_text(sender.received),
    }
    topic: Topic = topics.PIXEL_IDENTITIES
    return Record(topic.name, topic.key(sender.store, session or id), encode(row), event=False)
