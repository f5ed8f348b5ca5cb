"""From what was told to Kafka records: the one place where the collector's values meet the topics' models."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from connectors.pixel.privacy import Scrubber, may_keep, personal_texts
from connectors.pixel.wire import Told, WireError
from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, new_id

SOURCE = "collector"
_TYPES: Final = {kind: f"pixel.{kind}" for kind in ("event", "acknowledgement", "identification")}
_SCALARS: Final = ("action", "currency", "object", "object_type", "order", "order_form")
_WORDS: Final = frozenset(("action", "currency", "object_type", "order", "order_form"))
_UTM_WORDS: Final = frozenset(("source", "medium", "campaign"))
"""Words of the shop, by which events are counted and joined: Mr Black does not rename the campaign black-friday. Of
what is told of a person, only e-mails and phones are taken out of them."""
_MOST_TEXTS: Final = 1000  # to look for one costs time at each word of the body
_MOST_LETTERS: Final = 64 * 1024
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
    """Where a body came from: the request's own facts, already masked.

    What holds for all events of a request is made once for them.
    """

    store: str
    secret: bytes
    country: str
    privacy: str
    received: int
    network: str | None = None
    user_agent: str | None = None
    opted_out: bool = False
    server: bool = False
    received_text: str = field(init=False)
    scrubber: Scrubber = field(init=False)
    device: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.received_text = to_text(self.received)
        self.scrubber = Scrubber(self.secret, self.country)
        self.device = self.device_by(self.scrubber)

    def device_by(self, scrubber: Scrubber) -> dict[str, str]:
        """Return what may be kept of the device."""
        device = {}
        if self.user_agent:
            device["user_agent"] = scrubber.text(self.user_agent)
        if self.network:
            device["network"] = self.network
        return device


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
    if told.tracked_at is not None and told.sent_at is not None:
        told.tracked_at = _by_our_clock(told.tracked_at, told.sent_at, sender.received)
    scrubber = _scrubber(told, sender)
    id = scrubber.id(told.given_id) if told.given_id else new_id()  # noqa: A001  CloudEvents' own word
    identity = None
    if may_keep(sender.privacy, told.consent):
        data = _data(told, sender, scrubber)
        if told.identity:
            identity = _identification(told, sender, data, id)
    else:
        data = _bare(told, sender)
    if told.given_id:
        data["given_id"] = id
    envelope = {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": _TYPES[told.kind],
        "time": sender.received_text if told.tracked_at is None else to_text(told.tracked_at),
        "store": sender.store,
        "receivedtime": sender.received_text,
        "data": data,
    }
    key = topics.PIXEL_EVENTS.key(sender.store, data.get("session") or id)
    return Sealed(id, identity, Record(topics.PIXEL_EVENTS.name, key, encode(envelope), event=True))


def _by_our_clock(tracked: int, sent: int, received: int) -> int:
    """Return when it happened by our clock: what the sender's clock is wrong by shows in its time of sending."""
    if abs(received - sent) < _LATENCY_MS:
        return tracked
    corrected = tracked + received - sent
    return corrected if 0 < corrected <= received else tracked


def _scrubber(told: Told, sender: Sender) -> Scrubber:
    """Return the request's scrubber, or one of the body's own that knows the personal values told in it."""
    texts = personal_texts(told.identity) if told.identity else ()
    if not texts:
        return sender.scrubber
    if len(texts) > _MOST_TEXTS or sum(map(len, texts)) > _MOST_LETTERS:
        raise WireError("too_large", "user_parameters", "The event tells more of a person than can be looked for.")
    scrubber = Scrubber(sender.secret, sender.country)
    scrubber.learn(texts)
    return scrubber


def _bare(told: Told, sender: Sender) -> dict[str, Any]:
    """Without consent only the fact is kept, so that the event still has its fate (`filtered: consent`)."""
    data: dict[str, Any] = {"store": sender.store, "kind": told.kind, "consent": told.consent}
    if told.action:
        data["action"] = sender.scrubber.text(told.action)
    data["sent_by"] = _sent_by(told, sender)
    return data


def _data(told: Told, sender: Sender, scrubber: Scrubber) -> dict[str, Any]:
    clean = scrubber.text
    data: dict[str, Any] = {"store": sender.store, "kind": told.kind, "sent_by": _sent_by(told, sender)}
    if told.session:
        data["session"] = scrubber.id(told.session)
    _add_scalars(data, told, sender, scrubber)
    if told.page:
        data["page"] = {name: clean(value) for name, value in told.page.items()}
    if told.utm is not None:
        data["utm"] = _utm(told.utm, sender, scrubber)
    if told.identity:
        data |= _hashes(told.identity, scrubber)
    if told.parameters:
        data["parameters"] = scrubber.tree(told.parameters)
    data["device"] = sender.device if scrubber is sender.scrubber else sender.device_by(scrubber)
    return data


def _add_scalars(data: dict[str, Any], told: Told, sender: Sender, scrubber: Scrubber) -> None:
    for name in _SCALARS:
        value = getattr(told, name)
        if value is not None:
            data[name] = (sender.scrubber if name in _WORDS else scrubber).text(value)
    if told.amount is not None:
        data["amount"] = told.amount
    if told.tracked_at is not None:
        data["tracked_at"] = to_text(told.tracked_at)
    if told.consent is not None:
        data["consent"] = told.consent


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


def _utm(told: dict[str, Any], sender: Sender, scrubber: Scrubber) -> dict[str, Any]:
    utm = {
        name: (sender.scrubber if name in _UTM_WORDS else scrubber).text(value)
        for name, value in told.items()
        if name != "observed_at"
    }
    if told.get("observed_at") is not None:
        utm["observed_at"] = to_text(told["observed_at"])
    return utm


def _sent_by(told: Told, sender: Sender) -> str:
    return "app" if told.app else "server" if sender.server else "page"


def _identification(told: Told, sender: Sender, data: dict[str, Any], id: str) -> Record | None:  # noqa: A002  CloudEvents' own word
    """Return the record of the values themselves; an id without any value tells nothing that the hash does not."""
    if told.kind == "event" and not (data.get("email_hash") or data.get("phone_hash")):
        return None
    session = data.get("session")
    row = {
        "store": sender.store,
        "session": session,
        "event_id": id,
        **told.identity,
        **{name: data.get(name) for name in ("email_hash", "phone_hash", "customer_hash")},
        "received_at": sender.received_text,
    }
    topic = topics.PIXEL_IDENTITIES
    return Record(topic.name, topic.key(sender.store, session or id), encode(row), event=False)
