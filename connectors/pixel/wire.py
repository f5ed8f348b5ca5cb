"""From any body shape of any client version to what it tells (contracts/hellotext A3, A6). Pure.

Nothing is kept here and nothing is trusted: what the reader does not know stays in `parameters`, so that no
client's extra keys are lost; what breaks the contract (no action, a currency without an amount, an unreadable
`tracked_at`) raises `WireError`, whose entries go into the 422 answer.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from connectors.pixel.answers import problem
from schemas.clock import to_ms

Kind = Literal["event", "acknowledgement", "identification"]
Body = Mapping[str, Any]

# Read into fields of their own; `headers` never belongs to the event (A3.1).
_FIELDS: Final = frozenset((
    "session", "user_parameters", "user", "action", "amount", "currency", "tracked_at", "object", "object_type", "url",
    "page", "utm_params", "headers", "event_id", "consent", "kind", "business", "at",
    "sent_at",
))  # fmt: skip
_IDENTITY_FIELDS: Final = {
    "user_id": "customer", "email": "email", "phone": "phone", "name": "name", "first_name": "first_name",
    "firstName": "first_name", "last_name": "last_name", "lastName": "last_name", "document": "document",
    "source": "source",
}  # fmt: skip
_NOT_PERSONAL: Final = frozenset(("session", "event_id", "consent", "kind", "tracked_at", "sent_at", "business"))
_PAGE: Final = frozenset(("url", "title", "path", "referrer"))
_UTM: Final = frozenset(("source", "medium", "campaign", "term", "content"))
_ORDER_KEYS: Final = ("reference", "order", "order_id", "orderId", "order_group", "orderGroup")
_ORDER_FORM_KEYS: Final = ("order_form", "order_form_id", "orderFormId", "orderForm")
_NOTHING: Final = frozenset(("", "undefined", "null", "None"))
_LONGEST_NOTHING: Final = max(map(len, _NOTHING))
_LONGEST: Final = 512
_LONGEST_URL: Final = 4096
_LONGEST_ID: Final = 1 << 20  # longer than any body
_MS_FROM: Final = 10**11  # as seconds this is the year 5138: a number this large is milliseconds
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31, the last instant RFC 3339 can write
_YES: Final = frozenset(("granted", "true", "yes", "1", "accepted", "opt-in"))
_NO: Final = frozenset(("denied", "false", "no", "0", "rejected", "opt-out"))
_NUMBER: Final = re.compile(r"^[+-]?\d{1,18}(\.\d+)?$")


class WireError(ValueError):
    """The body breaks the contract; `errors` are entries of the answer."""

    def __init__(self, type: str, parameter: str | None, description: str) -> None:  # noqa: A002  the wire's name
        super().__init__(description)
        self.errors = [problem(type, parameter, description)]


@dataclass(slots=True)
class Told:
    """What one body tells, personal values still in it: never logged, never stored as it is."""

    kind: Kind
    action: str | None = None
    given_id: str | None = None
    session: str | None = None
    page: dict[str, Any] = field(default_factory=dict)
    utm: dict[str, Any] | None = None
    identity: dict[str, Any] = field(default_factory=dict)
    amount: str | None = None
    currency: str | None = None
    object: str | None = None
    object_type: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    order: str | None = None
    order_form: str | None = None
    tracked_at: int | None = None
    sent_at: int | None = None
    app: bool = False
    consent: Literal["granted", "denied"] | None = None


def read_event(body: Body, given_id: str | None = None) -> Told:
    """Return what a body of `POST /v1/track/events` tells (A3.1).

    A body holds a handful of the keys that there are, so only those that are there are looked into: reading costs 3 us
    instead of 5 (docs/collector.md, "What an event costs").

    Raises:
        WireError: when `action` is missing, a currency stands without an amount, or a value is unreadable.
    """
    told = Told("event")
    told.action = _action(body.get("action"))
    _read_common(told, body, given_id)
    _read_visit(told, body)
    told.identity = _user(body)
    if "amount" in body or "currency" in body:
        told.amount, told.currency = _money(body)
    if "tracked_at" in body:
        told.tracked_at = instant(body["tracked_at"])
    _read_object(told, body)
    return told


def read_acknowledgement(body: Body, given_id: str | None = None) -> Told:
    """Return what a session acknowledgement tells (A3.2); the client ignores the answer, so nothing is refused."""
    told = Told("acknowledgement")
    _read_common(told, body, given_id)
    _read_visit(told, body)
    with suppress(WireError):
        told.tracked_at = instant(body.get("at"))
    return told


def read_identification(body: Body, given_id: str | None = None) -> Told:
    """Return what an identify call tells (A3.4); every field may be absent, `user_id` may be an e-mail."""
    told = Told("identification")
    _read_common(told, body, given_id)
    personal = {key: value for key, value in body.items() if key not in _NOT_PERSONAL}
    told.identity = _identity(personal, customer=body.get("user_id"))
    told.tracked_at = instant(body.get("tracked_at"))
    return told


def _action(value: Any) -> str:
    """Return the action: a name (A3.1, A7), so a number is none, though `session`, `object` and ids may be numbers.

    It is refused and kept as a dead letter, not taken for the name "5": its sender has put something else there (a
    caller's parameters may override `action`, A3.1) and should hear of it.
    """
    if isinstance(value, str) and (action := text(value)) is not None:
        return action
    if value is None or isinstance(value, str):
        raise WireError("parameter_missing", "action", "action is missing: send a name such as page.viewed.")
    raise WireError("parameter_invalid", "action", "action is no text: send a name such as page.viewed.")


def _read_common(told: Told, body: Body, given_id: str | None) -> None:
    """Read what every kind of body may tell."""
    told.given_id = given_id or (given(body["event_id"]) if "event_id" in body else None)
    told.session = session(body.get("session"))
    if "sent_at" in body:
        with suppress(WireError):  # the sender's own clock: pixel.js tells it, so that the clock shows (records.py)
            told.sent_at = instant(body["sent_at"])
    if "consent" in body:
        told.consent = consent(body["consent"])


def _read_visit(told: Told, body: Body) -> None:
    """Read where the visitor was, and what campaign brought them."""
    page = body.get("page")
    if isinstance(page, dict):
        told.page = _texts(page, _PAGE, _LONGEST_URL)
    else:  # before 2.1.5 the address stood at the top level
        url = text(body.get("url"), _LONGEST_URL) or (text(page, _LONGEST_URL) if isinstance(page, str) else None)
        told.page = {"url": url} if url else {}
    utm = body.get("utm_params")
    if isinstance(utm, dict):
        kept: dict[str, Any] = _texts(utm, _UTM, _LONGEST)
        if "observed_at" in utm:
            with suppress(WireError):
                kept["observed_at"] = instant(utm["observed_at"])
        told.utm = kept or None


def _read_object(told: Told, body: Body) -> None:
    """Read what the event is about: an object, an order, an order form, and what nobody knows."""
    parameters = told.parameters = {key: value for key, value in body.items() if key not in _FIELDS}
    if "object" in body:
        told.object = text(body["object"])
        if isinstance(body["object"], dict):
            parameters["object"] = body["object"]
    if "object_type" in body:
        told.object_type = text(body["object_type"])
    if not parameters and told.object is None:
        return
    told.app = "app_parameters" in parameters
    action = told.action or ""
    metadata = _map(parameters.get("metadata"))
    about = _map(parameters.get("object_parameters"))
    if action.startswith("order."):
        told.order = _first(about, _ORDER_KEYS) or told.object or _first(metadata, _ORDER_KEYS)
    for place in (parameters, about, metadata):
        told.order_form = told.order_form or _first(place, _ORDER_FORM_KEYS)
    if action == "checkout.started" and told.order_form is None:
        told.order_form = text(about.get("reference")) or told.object


def text(value: Any, longest: int = _LONGEST) -> str | None:
    """Return a scalar as text, or None when it says nothing (empty, or the literal `undefined`: A6)."""
    if isinstance(value, str):
        plain: str = value.strip()
        length = len(plain)
        if length <= _LONGEST_NOTHING and plain in _NOTHING:
            return None
        return plain if length <= longest else plain[:longest]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return None


session = text


def given(value: Any, longest: int = _LONGEST) -> str | None:
    """Return an event's id as its sender gives it; of a longer one a hash stands for the end: two ids stay two."""
    id = text(value, _LONGEST_ID)  # noqa: A001  the wire's name
    if id is None or len(id) <= longest:
        return id
    digest = hashlib.sha256(id.encode()).hexdigest()
    return f"{id[: longest - len(digest) - 1]}:{digest}"


def consent(value: Any) -> Literal["granted", "denied"] | None:
    """Return the visitor's choice, as a word, a boolean, or per purpose (`{"analytics": true}`)."""
    if isinstance(value, Mapping):
        choices = [consent(choice) for choice in list(value.values())[:16]]
        return "denied" if "denied" in choices else "granted" if "granted" in choices else None
    word = str(value).strip().lower() if isinstance(value, (str, bool, int)) else ""
    return "granted" if word in _YES else "denied" if word in _NO else None


def instant(value: Any) -> int | None:
    """Return Unix milliseconds of Unix seconds (or milliseconds, when that large) or ISO 8601; None when absent.

    Raises:
        WireError: when it is neither.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        if not _NUMBER.match(value.strip()):
            return _iso(value.strip())
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _unreadable()
    seconds = value / 1000 if abs(value) >= _MS_FROM else value
    if not 0.001 <= seconds <= _LAST_SECOND:  # noqa: PLR2004  a millisecond, which is what is kept
        raise _unreadable()
    return round(seconds * 1000)


def _iso(value: str) -> int:
    try:
        moment = to_ms(value)
    except (ValueError, OverflowError) as error:
        raise _unreadable() from error
    if not 0 < moment <= _LAST_SECOND * 1000:
        raise _unreadable()
    return moment


def _unreadable() -> WireError:
    return WireError("parameter_invalid", "tracked_at", "tracked_at is neither Unix seconds nor ISO 8601 with a zone.")


def _money(body: Body) -> tuple[str | None, str | None]:
    amount, currency = body.get("amount"), text(body.get("currency"))
    if amount is None or amount == "":
        if currency is not None:
            raise WireError("parameter_missing", "amount", "currency stands without amount: send both or neither.")
        return None, None
    try:
        value = Decimal(str(amount).strip()) if isinstance(amount, (int, float, str)) else None
    except InvalidOperation:
        value = None
    # No shop sells for 10^18, nor writes 64 digits.
    if (
        value is None
        or isinstance(amount, bool)
        or not value.is_finite()
        or abs(value.adjusted()) > 18  # noqa: PLR2004
        or len(str(amount)) > 64  # noqa: PLR2004
    ):
        raise WireError("parameter_invalid", "amount", "amount is no number in major units, such as 89.90.")
    return str(amount).strip(), currency.upper() if currency else None


def _user(body: Body) -> dict[str, Any]:
    """`user_parameters` since 2.3.5, `user` in 2.3.0 (A3.1)."""
    user = body.get("user_parameters")
    if not isinstance(user, dict) or not user:
        user = body.get("user")
    if not isinstance(user, dict) or not user:
        return {}
    return _identity(user, customer=user.get("user_id", user.get("id")))


def _identity(values: Body, customer: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for key, value in values.items():
        name = _IDENTITY_FIELDS.get(key)
        part = text(value)
        if name is not None and part is not None:
            told.setdefault(name, part)
        elif name is None and value not in (None, ""):
            rest[key] = value
    if text(customer) is not None:
        told["customer"] = text(customer)
    if rest.get("id") == customer:
        rest.pop("id", None)
    if rest:
        told["other"] = rest
    return told


def _first(place: Body, names: tuple[str, ...]) -> str | None:
    if not place:
        return None
    for name in names:
        value = place.get(name)
        if value is None:
            continue
        if isinstance(value, dict):  # `order: {...}`, `orderForm: {...}`
            value = value.get("reference", value.get("id"))
        if (found := text(value)) is not None:
            return found
    return None


def _texts(place: Body, names: frozenset[str], longest: int) -> dict[str, str]:
    kept = {}
    for name, value in place.items():
        if name in names and (part := text(value, longest)) is not None:
            kept[name] = part
    return kept


def _map(value: Any) -> Body:
    return value if isinstance(value, dict) else {}
