"""Infobip's paths, under /infobip (contracts/infobip CONTRACT 2, 3, 5, 6)."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.infobip.account import Account
from sandbox.infobip.answers import Document, Refusal, people, platform, reply, too_many
from sandbox.infobip.people import as_v2
from sandbox.temper import GENTLE, Moody, Temper

Handler = Callable[[Account, Request, Document], Response]
Accounts = Mapping[str, Account]
PEOPLE_PER_SECOND = 5.0
"""Of nearly every People call, account-wide (CONTRACT 2, 3)."""


class Infobip:
    """The application; accounts may come and go while it serves.

    People calls have their own layer: they are limited to five a second, unless the temper says otherwise.
    """

    def __init__(self, accounts: Accounts, temper: Temper = GENTLE) -> None:
        self._people = Moody(Starlette(routes=_people(accounts)), too_many)
        self._channels = Moody(Starlette(routes=_channels(accounts)), too_many)
        self.become(temper)

    def become(self, temper: Temper) -> None:
        """Change how badly it behaves."""
        self._people.become(replace(temper, per_second=temper.per_second or PEOPLE_PER_SECOND))
        self._channels.become(temper)

    @property
    def faults(self) -> Counter[str]:
        """How often each fault has happened; `over budget` counts calls above what is allowed."""
        return self._people.faults + self._channels.faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        layer = self._people if "/people/" in scope["path"] else self._channels
        await layer(scope, receive, send)


def _channels(accounts: Accounts) -> list[Route]:
    return [
        _route(accounts, "POST", "/sms/3/messages", "message:send", send_sms),
        _route(accounts, "GET", "/sms/3/logs", "message:send", get_log),
        _route(accounts, "POST", "/whatsapp/1/message/template", "message:send", send_template),
        _route(accounts, "POST", "/whatsapp/1/message/text", "message:send", send_text),
    ]


def _people(accounts: Accounts) -> list[Route]:
    return [
        _route(accounts, "PATCH", "/people/3/persons/upsert", "people:manage", upsert),
        _route(accounts, "PUT", "/people/3/persons/upsert", "people:manage", upsert),
        _route(accounts, "GET", "/people/2/persons", "people:read", get_persons),
        _route(accounts, "DELETE", "/people/2/persons", "people:manage", delete_person),
        _route(accounts, "GET", "/people/2/customAttributes", "people:read", list_attributes),
        _route(accounts, "POST", "/people/2/customAttributes", "people:manage", define_attribute),
    ]


def upsert(account: Account, request: Request, body: Document) -> Response:
    """`PATCH|PUT /people/3/persons/upsert`: always 207."""
    return reply(account.people.upsert(body, replace=request.method == "PUT"), 207)


def get_persons(account: Account, request: Request, _: Document) -> Response:
    """`GET /people/2/persons`: one by identifier, or a page of all."""
    query = request.query_params
    if "identifier" in query:
        return reply(as_v2(_person(account, query)))
    limit, page = int(query.get("limit", "20")), int(query.get("page", "1"))
    listed = list(account.people.persons.values())[(page - 1) * limit : page * limit]
    return reply({"persons": [as_v2(person) for person in listed], "page": page, "limit": limit})


def delete_person(account: Account, request: Request, _: Document) -> Response:
    """`DELETE /people/2/persons`."""
    account.people.delete(_person(account, request.query_params))
    return Response(b"", 204)


def list_attributes(account: Account, _: Request, __: Document) -> Response:
    """`GET /people/2/customAttributes`."""
    return reply({"customAttributes": list(account.people.attributes.values())})


def define_attribute(account: Account, _: Request, body: Document) -> Response:
    """`POST /people/2/customAttributes`."""
    name = str(body.get("name") or "")
    if not name or any(letter in name for letter in "{}[]"):
        raise platform(400, "BAD_REQUEST", "Bad request", {"name": ["is not allowed"]})
    account.people.attributes[name] = {"name": name, "dataType": body.get("dataType", "STRING")}
    return reply(account.people.attributes[name])


def send_sms(account: Account, _: Request, body: Document) -> Response:
    """`POST /sms/3/messages`."""
    return reply(account.send_sms(body))


def get_log(account: Account, request: Request, _: Document) -> Response:
    """`GET /sms/3/logs`."""
    return reply(account.log(request.query_params.get("messageId")))


def send_template(account: Account, _: Request, body: Document) -> Response:
    """`POST /whatsapp/1/message/template`."""
    return reply(account.send_templates(body))


def send_text(account: Account, _: Request, body: Document) -> Response:
    """`POST /whatsapp/1/message/text`."""
    return reply(account.send_text(body))


def _person(account: Account, query: Mapping[str, str]) -> Document:
    found = account.people.get(query.get("type", "ID"), query.get("identifier", ""))
    if found is None:
        raise platform(404, "NOT_FOUND", "There is no such person.")
    return found


def _route(accounts: Accounts, method: str, path: str, scope: str, handler: Handler) -> Route:
    async def serve(request: Request) -> Response:
        try:
            account = _account(accounts, request, scope)
            account.calls[f"{method} {path}"] += 1
            return handler(account, request, await _body(request))
        except Refusal as refusal:
            return refusal.response

    return Route(path, serve, methods=[method], name=f"{method} {path}")


def _account(accounts: Accounts, request: Request, scope: str) -> Account:
    key = request.headers.get("authorization", "").removeprefix("App ").strip()
    account = next((account for account in accounts.values() if account.key == key), None)
    if account is None:
        raise platform(401, "UNAUTHORIZED", "Invalid login details")
    if scope not in account.scopes:
        raise platform(403, "FORBIDDEN", f"The key lacks the scope {scope}")
    return account


async def _body(request: Request) -> Document:
    raw = await request.body()
    if not raw:
        return {}
    try:
        document: Any = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise people(400103, "Malformed JSON") from None
    if not isinstance(document, dict):
        raise people(400103, "No JSON object")
    return document
