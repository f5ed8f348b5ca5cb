"""The pixel's endpoints (contracts/hellotext A3): events, acknowledgements, identifications, batches."""

import uuid
from base64 import b64decode
from collections.abc import Callable
from typing import Any, Final

from connectors.pixel import firstparty
from connectors.pixel.admission import Admitted
from connectors.pixel.answers import RECEIVED, Answer, answer, other, problem, refusal
from connectors.pixel.intake import Intake
from connectors.pixel.records import Sealed, Sender
from connectors.pixel.request import MalformedError, Refused, Request, decode
from connectors.pixel.settings import CollectorSettings
from connectors.pixel.wire import Told, WireError, read_acknowledgement, read_event, read_identification

Reader = Callable[[dict[str, Any], str | None], Told]

_READERS: Final[dict[str, Reader]] = {
    "event": read_event,
    "acknowledgement": read_acknowledgement,
    "identification": read_identification,
}
_PICTURE: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_UTM: Final = "utm_"


class Tracking:
    """Handlers of the pixel's paths."""

    def __init__(self, intake: Intake, settings: CollectorSettings) -> None:
        self._intake = intake
        self._settings = settings

    async def event(self, request: Request) -> Answer:
        """`POST /v1/track/events`."""
        return await self._one(request, "event")

    async def acknowledgement(self, request: Request) -> Answer:
        """`POST /v1/public/acks`."""
        return await self._one(request, "acknowledgement")

    async def identification(self, request: Request) -> Answer:
        """`POST /v1/public/identifications`."""
        return await self._one(request, "identification")

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
        sealed = self._read(document, "event", None, self._intake.sender(request, admitted, server=server))
        await self._intake.keep(admitted, [sealed])
        self._intake.count("event")
        return other(200, _PICTURE, "image/gif")

    async def batch(self, request: Request) -> Answer:
        """`POST /v1/track/batch`: an array, or `{"events": [...], ...}` whose other keys hold for each event.

        One answer for each event, in order: `received` with its id, or `rejected` with its errors. An event may be an
        acknowledgement or an identification, when its `kind` says so.
        """
        admitted, server, document, raw = await self._document(request)
        events, common = (document, {}) if isinstance(document, list) else _opened(document)
        if not isinstance(events, list):
            await self._intake.bury(admitted, "invalid", "the batch has no events", raw)
            raise Refused(refusal(422, "parameter_missing", "events is missing: send an array of events.", "events"))
        if len(events) > self._settings.batch_limit:
            raise Refused(
                refusal(413, "too_large", f"The batch has more than {self._settings.batch_limit} events.", "events")
            )
        self._intake.charge(admitted, max(1, len(events)))
        key = _given(request)
        sender = self._intake.sender(request, admitted, server=server or _from_server(request, document))
        results, kept = [], []
        for number, entry in enumerate(events):
            result, sealed = self._entry(entry, common, f"{key}/{number}" if key else None, sender)
            results.append(result)
            kept += [sealed] if sealed else []
        await self._intake.keep(admitted, kept)
        self._intake.count("event", len(kept))
        return answer(200, {"status": "received", "results": results})

    def _entry(
        self, entry: Any, common: dict[str, Any], given: str | None, sender: Sender
    ) -> tuple[dict[str, Any], Sealed | None]:
        if not isinstance(entry, dict):
            return _rejected([problem("invalid", None, "The event is no JSON object.")]), None
        kind = entry.get("kind")
        try:
            sealed = self._read({**common, **entry}, kind if kind in _READERS else "event", given, sender)
        except WireError as error:
            return _rejected(error.errors), None
        return {"status": "received", "id": sealed.id}, sealed

    async def _one(self, request: Request, kind: str) -> Answer:
        admitted, server, document, raw = await self._document(request)
        self._intake.charge(admitted)
        if not isinstance(document, dict):
            await self._intake.bury(admitted, "invalid", "the body is no JSON object", raw)
            raise Refused(refusal(422, "invalid", "The body is no JSON object."))
        sender = self._intake.sender(request, admitted, server=server or _from_server(request, document))
        try:
            sealed = self._read(document, kind, _given(request), sender)
        except WireError as error:
            await self._intake.bury(admitted, "invalid", str(error), raw)
            raise
        await self._intake.keep(admitted, [sealed])
        self._intake.count(kind)
        return RECEIVED

    async def _document(self, request: Request) -> tuple[Admitted, bool, Any, bytes]:
        """Return the store, whether its back end sent it, and the body; admitted first where a header tells it."""
        if b"authorization" in request.headers or "business" in request.query:
            admitted, server = self._intake.admit(request)
            raw = await request.body()
            return admitted, server, await self._intake.document(raw, admitted), raw
        raw = await request.body()
        admitted, server = self._intake.admit(request, _business(raw))
        return admitted, server, await self._intake.document(raw, admitted), raw

    def _read(self, document: dict[str, Any], kind: str, given: str | None, sender: Sender) -> Sealed:
        return self._intake.seal(_READERS[kind](document, given), sender)


def _opened(document: Any) -> tuple[Any, dict[str, Any]]:
    if not isinstance(document, dict):
        return None, {}
    return document.get("events"), {key: value for key, value in document.items() if key not in {"events", "business"}}


def _rejected(errors: list[dict[str, str | None]]) -> dict[str, Any]:
    return {"status": "rejected", "errors": errors}


def _given(request: Request) -> str | None:
    key = request.headers.get(b"idempotency-key", b"").decode("latin-1").strip()
    return key[:200] or None


def _from_server(request: Request, document: Any) -> bool:
    """A browser always tells its origin; WooCommerce's back end posts with the public id and without one (A3.1)."""
    return b"origin" not in request.headers and not (isinstance(document, dict) and "page" in document)


def _business(raw: bytes) -> Any:
    """The body's own `business`: a beacon cannot set a header. Whether the rest is JSON is said later."""
    try:
        document = decode(raw)
    except MalformedError:
        return None
    return document.get("business") if isinstance(document, dict) else None
