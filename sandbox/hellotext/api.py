"""Hellotext's paths, under /hellotext/v1 (contracts/hellotext CONTRACT A3, B)."""

from collections.abc import Callable, Mapping
from itertools import dropwhile
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.hellotext import messages
from sandbox.hellotext.answers import RECEIVED, Refusal, refused, reply, too_many
from sandbox.hellotext.book import Business, Document
from sandbox.temper import GENTLE, Moody, Temper

Handler = Callable[[Business, Request, Document], Response]
Businesses = Mapping[str, Business]

_READS: Final = frozenset(("GET",))
_DEFAULT_LIMIT: Final = 25
_MOST: Final = 100
_ORDER_ACTIONS: Final = "order."


def hellotext(businesses: Businesses, temper: Temper = GENTLE) -> Moody:
    """Return the application; businesses may come and go while it serves."""
    routes = [
        _private(businesses, "GET", "/profiles", list_profiles),
        _private(businesses, "POST", "/profiles", create_profile),
        _private(businesses, "GET", "/profiles/{id}", get_profile),
        _private(businesses, "PATCH", "/profiles/{id}", change_profile),
        _private(businesses, "DELETE", "/profiles/{id}", delete_profile),
        _private(businesses, "POST", "/properties", create_property),
        _private(businesses, "PATCH", "/sessions/{id}", link_session),
        _private(businesses, "POST", "/attribution/events", attribute),
        _private(businesses, "POST", "/messages", send_message),
        _private(businesses, "GET", "/messages", list_messages),
        _private(businesses, "GET", "/messages/{id}", get_message),
        _public(businesses, "POST", "/track/events", track),
        _public(businesses, "POST", "/public/acks", acknowledge),
        _public(businesses, "POST", "/public/identifications", identify),
        _public(businesses, "GET", "/public/businesses/{id}", get_business),
    ]
    moody = Moody(Starlette(routes=routes), too_many)
    moody.become(temper)
    return moody


def list_profiles(business: Business, request: Request, _: Document) -> Response:
    """`GET /profiles`: newest first, `limit`, `starting_after`, `ending_before`."""
    limit = _limit(request)
    listed = list(reversed(business.profiles.values()))
    after, before = request.query_params.get("starting_after"), request.query_params.get("ending_before")
    if after is not None:
        listed = list(dropwhile(lambda profile: profile.id != after, listed))[1:]
    if before is not None:
        listed = listed[: next((n for n, profile in enumerate(listed) if profile.id == before), 0)][-limit:]
    return reply([profile.shown(business.clock()) for profile in listed[:limit]])


def create_profile(business: Business, _: Request, body: Document) -> Response:
    """`POST /profiles`: 201, or 200 where a profile was matched."""
    profile, new = business.create_profile(body)
    return reply(profile.shown(business.clock()), 201 if new else 200)


def get_profile(business: Business, request: Request, _: Document) -> Response:
    """`GET /profiles/{id}`."""
    return reply(business.profile(request.path_params["id"]).shown(business.clock()))


def change_profile(business: Business, request: Request, body: Document) -> Response:
    """`PATCH /profiles/{id}`."""
    return reply(business.change_profile(request.path_params["id"], body).shown(business.clock()))


def delete_profile(business: Business, request: Request, _: Document) -> Response:
    """`DELETE /profiles/{id}`."""
    profile = business.profile(request.path_params["id"])
    business.delete_profile(profile)
    return Response(b"", 204)


def create_property(business: Business, _: Request, body: Document) -> Response:
    """`POST /properties`."""
    for name in ("name", "kind"):
        if not body.get(name):
            raise refused(422, "parameter_missing", f"{name} is missing.", name)
    made = {"id": business.new_id(), "name": body["name"], "kind": body["kind"], "unique": bool(body.get("unique"))}
    business.properties[made["id"]] = made
    return reply(made, 201)


def link_session(business: Business, request: Request, body: Document) -> Response:
    """`PATCH /sessions/{id}`: 200 even when a profile that is there already stays (B2); 404 before the first event."""
    session = request.path_params["id"]
    if session not in business.sessions:
        raise refused(404, "not_found", "There is no such session yet.", "id")
    profile = business.profile(str(body.get("profile") or ""))
    if business.sessions[session] is None:
        business.sessions[session] = profile.id
    holder = business.sessions[session]
    return reply({"id": session, "profile": None if holder is None else int(holder[:6], 16)})


def attribute(business: Business, _: Request, body: Document) -> Response:
    """`POST /attribution/events`: validated; one stored event per order and order action (B3)."""
    action = _action(body)
    profile, session = body.get("profile"), body.get("session")
    if profile is not None:
        business.profile(str(profile))
    if profile is not None and session is not None and business.sessions.get(str(session)) != profile:
        raise refused(422, "identity_assigned", "The session is not this profile's.", "session")
    business.see(session)
    order = _reference(body)
    known = [told for told in business.told.get("attribution", []) if told.get("action") == action]
    if not (action.startswith(_ORDER_ACTIONS) and order and any(_reference(told) == order for told in known)):
        business.note("attribution", body)
    return reply(RECEIVED)


def track(business: Business, _: Request, body: Document) -> Response:
    """`POST /track/events` with the public id: queued without being validated, beyond an action (A3.1)."""
    _action(body)
    business.see(body.get("session"))
    business.note("events", body)
    return reply(RECEIVED)


def acknowledge(business: Business, _: Request, body: Document) -> Response:
    """`POST /public/acks`."""
    business.note("acks", body)
    return reply(RECEIVED)


def identify(business: Business, _: Request, body: Document) -> Response:
    """`POST /public/identifications`."""
    business.note("identifications", body)
    return reply(RECEIVED)


def get_business(business: Business, request: Request, _: Document) -> Response:
    """`GET /public/businesses/{id}`: what a page hydrates from (A3.3)."""
    if request.path_params["id"] != business.id:
        raise refused(404, "not_found", "There is no such business.", "id")
    return reply({"id": business.id, "features": {}, "locale": "es", "webchat": None, "whatsapp": None})


def send_message(business: Business, _: Request, body: Document) -> Response:
    """`POST /messages`."""
    message = messages.accept(business, body)
    return reply({**RECEIVED, "id": message["id"]})


def list_messages(business: Business, request: Request, _: Document) -> Response:
    """`GET /messages`: newest first."""
    listed = list(reversed(business.messages.values()))[: _limit(request)]
    return reply([messages.shown(business, message) for message in listed])


def get_message(business: Business, request: Request, _: Document) -> Response:
    """`GET /messages/{id}`."""
    message = business.messages.get(request.path_params["id"])
    if message is None:
        raise refused(404, "not_found", "There is no such message.", "id")
    return reply(messages.shown(business, message))


def _private(businesses: Businesses, method: str, path: str, handler: Handler) -> Route:
    return _route(method, path, handler, lambda bearer: _first(b for b in businesses.values() if b.token == bearer))


def _public(businesses: Businesses, method: str, path: str, handler: Handler) -> Route:
    return _route(method, path, handler, lambda bearer: _first(b for b in businesses.values() if b.id == bearer))


def _route(method: str, path: str, handler: Handler, holder: Callable[[str], Business | None]) -> Route:
    async def serve(request: Request) -> Response:
        try:
            return await _serve(request, f"{method} {path}", handler, holder)
        except Refusal as refusal:
            return refusal.response

    return Route(f"/v1{path}", serve, methods=[method], name=f"{method} {path}")


async def _serve(request: Request, name: str, handler: Handler, holder: Callable[[str], Business | None]) -> Response:
    business = holder(request.headers.get("authorization", "").removeprefix("Bearer ").strip())
    if business is None:
        raise refused(401, "not_allowed", "The token is wrong.", "authorization")
    business.calls[name] += 1
    if business.forbidden and request.method not in _READS:
        raise refused(403, "not_allowed", "Your plan does not include this.")
    return handler(business, request, await _body(request))


async def _body(request: Request) -> Document:
    raw = await request.body()
    if request.method in _READS or not raw:
        return {}
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise refused(400, "invalid", "The body is not JSON.") from None
    if not isinstance(document, dict):
        raise refused(400, "invalid", "The body is no JSON object.")
    return document


def _action(body: Document) -> str:
    action = body.get("action")
    if not isinstance(action, str) or not action:
        raise refused(422, "parameter_missing", "action is missing.", "action")
    if body.get("currency") is not None and body.get("amount") is None:
        raise refused(422, "parameter_missing", "currency stands without amount.", "amount")
    return action


def _reference(body: Document) -> Any:
    about = body.get("object_parameters")
    return body.get("object") or (about.get("reference") if isinstance(about, dict) else None)


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(_DEFAULT_LIMIT))
    return min(int(text), _MOST) if text.isdigit() else _DEFAULT_LIMIT


def _first(found: Any) -> Business | None:
    return next(iter(found), None)
