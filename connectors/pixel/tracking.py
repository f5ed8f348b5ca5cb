"""The pixel's endpoints (contracts/hellotext A3): events, acknowledgements, identifications, batches."""

import uuid
from base64 import b64decode
from collections.abc import Callable
from typing import Any, Final

import orjson

from connectors.pixel import firstparty
from connectors.pixel.admission import Admitted
from connectors.pixel.answers import RECEIVED, Answer, answer, other, problem, refusal
from connectors.pixel.intake import Intake
from connectors.pixel.records import Sealed, Sender, seal
from connectors.pixel.request import MalformedError, Refused, Request, decode
from connectors.pixel.settings import CollectorSettings
from connectors.pixel.wire import Told, WireError, given, read_acknowledgement, read_event, read_identification

Reader = Callable[[dict[str, Any], str | None], Told]

_READERS: Final[dict[str, Reader]] = {
    "event": read_event,
    "acknowledgement": read_acknowledgement,
    "identification": read_identification,
}
_SHARES: Final = 4  # times a body: what the keys beside a batch's events may come to, for all of them
_PICTURE: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_UTM: Final = "utm_"
_LONGEST_KEY: Final = 200
_LARGEST: Final = 512 * 1024
"""Of a record: hashes are longer than what they stand for, and Kafka takes no more than twice this."""


class Tracking:
    """Handlers of the pixel's paths."""

    def __init__(self, intake: Intake, settings: CollectorSettings) -> None:
        self._intake = intake
        self._settings = settings

    async def one(self, request: Request, kind: str) -> Answer:
        """`POST /v1/track/events`, `/v1/public/acks`, `/v1/public/identifications`: one body of a kind."""
        admitted, server, document, raw = self._opened(request)
        self._intake.charge(admitted)
        if not isinstance(document, dict):
            raise await self._no_object(admitted, document, raw)
        sender = self._intake.sender(request, admitted, server=server or _from_server(request, document))
        try:
            sealed = _read(document, kind, _given(request), sender)
        except WireError as error:
            await self._intake.bury(admitted, "invalid", str(error), raw)
            raise
        if sealed.identity is not None:  # first: see records.seal
            await self._intake.store(admitted, [sealed.identity])
        await self._intake.store(admitted, [sealed.event])
        self._intake.count(kind)
        return RECEIVED

    async def session(self, request: Request) -> Answer:
        """`POST /v1/track/sessions`: clients up to 1.8.2 and the iOS SDK ask for a session (A3.5).

        With `?cookie=1` a page of the collector's own site has it kept as the shop's cookie (firstparty.py).
        """
        self._intake.admit(request)
        known = firstparty.session_of(request.query.get("session", ""), request.headers.get(b"cookie", b""))
        session = known or str(uuid.uuid4())
        document = {"status": "received", "id": session}
        headers = firstparty.cookie_headers(session, request.headers) if "cookie" in request.query else ()
        return answer(200, document, *headers)

    async def business(self, request: Request) -> Answer:
        """`GET /v1/public/businesses/{id}`: what `initialize` waits for (A3.3)."""
        admitted, _ = self._intake.admit(request)
        connection = admitted.connection
        if request.path.rpartition("/")[2] != connection.hellotext.business_id:
            return refusal(404, "not_found", "There is no such business here.")
        return answer(200, {
            "id": connection.hellotext.business_id,
            "country": {"code": connection.country},
            "features": {},
            "webchat": None,
            "whatsapp": None,
        })  # fmt: skip

    async def picture(self, request: Request) -> Answer:
        """`GET /v1/track/pixel.gif?business=&action=&session=&url=...`: for pages without JavaScript."""
        admitted, server = self._intake.admit(request)
        self._intake.charge(admitted)
        fields: dict[str, Any] = dict(request.query)
        utm = {name.removeprefix(_UTM): fields.pop(name) for name in list(fields) if name.startswith(_UTM)}
        url = fields.pop("url", None) or request.headers.get(b"referer", b"").decode("latin-1")
        page = {"url": url, "title": fields.pop("title", None), "referrer": fields.pop("referrer", None)}
        user = {name: fields.pop(name) for name in ("email", "phone", "user_id") if name in fields}
        document = {**fields, "page": page, "utm_params": utm, "user_parameters": user}
        sealed = _read(document, "event", None, self._intake.sender(request, admitted, server=server))
        await self._intake.keep(admitted, [sealed])
        self._intake.count("event")
        return other(200, _PICTURE, "image/gif")

    async def batch(self, request: Request) -> Answer:
        """`POST /v1/track/batch`: an array, or `{"events": [...], ...}` whose other keys hold for each event.

        One answer for each event, in order: `received` with its id, or `rejected` with its errors. An event may be an
        acknowledgement or an identification, when its `kind` says so.
        """
        admitted, server, document, raw = self._opened(request)
        if isinstance(document, MalformedError):
            raise await self._intake.malformed(admitted, document, raw)
        events, common = (document, {}) if isinstance(document, list) else _events(document)
        if not isinstance(events, list):
            await self._intake.bury(admitted, "invalid", "the batch has no events", raw)
            raise Refused(refusal(422, "parameter_missing", "events is missing: send an array of events.", "events"))
        if len(events) > self._settings.batch_limit:
            raise Refused(
                refusal(413, "too_large", f"The batch has more than {self._settings.batch_limit} events.", "events")
            )
        if common and _size(common) * len(events) > _SHARES * self._settings.body_limit:
            raise Refused(
                refusal(413, "too_large", "The keys beside events are too large to hold for so many of them.", "events")
            )
        self._intake.charge(admitted, max(1, len(events)))
        key = _given(request)
        sender = self._intake.sender(request, admitted, server=server or _from_server(request, document))
        results, kept = [], []
        for number, entry in enumerate(events):
            result, sealed = _entry(entry, common, f"{key}/{number}" if key else None, sender)
            results.append(result)
            if sealed is not None:
                kept.append(sealed)
        await self._intake.keep(admitted, kept)
        self._intake.count("event", len(kept))
        return answer(200, {"status": "received", "results": results})

    def _opened(self, request: Request) -> tuple[Admitted, bool, Any, bytes]:
        """Return the store, whether its back end sent it, and the body: decoded (or why it cannot be), and as it is."""
        raw = request.body()
        try:
            document = decode(raw)
        except MalformedError as error:
            return *self._intake.admit(request), error, raw
        business = document.get("business") if isinstance(document, dict) else None
        return *self._intake.admit(request, business), document, raw

    async def _no_object(self, admitted: Admitted, document: Any, raw: bytes) -> Refused:
        """Bury a body that is no JSON object, and return what its sender is told."""
        if isinstance(document, MalformedError):
            return await self._intake.malformed(admitted, document, raw)
        await self._intake.bury(admitted, "invalid", "the body is no JSON object", raw)
        return Refused(refusal(422, "invalid", "The body is no JSON object."))


def _read(document: dict[str, Any], kind: str, given: str | None, sender: Sender) -> Sealed:
    """Return the records of a body.

    Raises:
        WireError: it breaks the contract, nests deeper than JSON can be written, or is too large for Kafka.
    """
    try:
        sealed = seal(_READERS[kind](document, given), sender)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise WireError("invalid", None, "The event is nested too deeply.") from error
    if len(sealed.event.value) > _LARGEST or (sealed.identity is not None and len(sealed.identity.value) > _LARGEST):
        raise WireError("too_large", None, f"The event is larger than {_LARGEST} bytes as it is kept.")
    return sealed


def _entry(
    entry: Any, common: dict[str, Any], given: str | None, sender: Sender
) -> tuple[dict[str, Any], Sealed | None]:
    """Return the answer to one event of a batch, and its records if it is one."""
    if not isinstance(entry, dict):
        return _rejected([problem("invalid", None, "The event is no JSON object.")]), None
    kind = entry.get("kind")
    try:
        document = {**common, **entry} if common else entry
        sealed = _read(document, kind if isinstance(kind, str) and kind in _READERS else "event", given, sender)
    except WireError as error:
        return _rejected(error.errors), None
    return {"status": "received", "id": sealed.id}, sealed


def _events(document: Any) -> tuple[Any, dict[str, Any]]:
    if not isinstance(document, dict):
        return None, {}
    return document.get("events"), {key: value for key, value in document.items() if key not in {"events", "business"}}


def _size(common: dict[str, Any]) -> int:
    """Return how many bytes the keys beside a batch's events have.

    Raises:
        WireError: they nest deeper than JSON can be written.
    """
    try:
        return len(orjson.dumps(common))
    except orjson.JSONEncodeError as error:
        raise WireError("invalid", None, "The keys beside events are nested too deeply.") from error


def _rejected(errors: list[dict[str, str | None]]) -> dict[str, Any]:
    return {"status": "rejected", "errors": errors}


def _given(request: Request) -> str | None:
    key = request.headers.get(b"idempotency-key")
    return given(key.decode("latin-1"), _LONGEST_KEY) if key else None


def _from_server(request: Request, document: Any) -> bool:
    """A browser always tells its origin; WooCommerce's back end posts with the public id and without one (A3.1)."""
    return b"origin" not in request.headers and not (isinstance(document, dict) and "page" in document)
