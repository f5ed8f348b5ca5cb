"""One request to one account: who asks, for what, and whether they may; and the way its answer takes back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sandbox.vtex import answers
from sandbox.vtex.answers import Refusal
from sandbox.vtex.keys import Call, Key
from sandbox.vtex.shop import Shop

Shops = Mapping[str, Shop]
_MASTER_DATA: Final = frozenset({Call.READ, Call.SCROLL, Call.WRITE, Call.DELETE, Call.ENTITIES, Call.ENTITY})


@dataclass(frozen=True, slots=True)
class Visit:
    """What a handler gets."""

    shop: Shop
    request: Request
    key: Key | None

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.request.query_params

    @property
    def path(self) -> Mapping[str, str]:
        """The parts of the path."""
        return self.request.path_params

    @property
    def holder(self) -> Key:
        """The key of a call that needs one."""
        if self.key is None:
            raise answers.orders(401, "Unauthorized access")
        return self.key

    async def json(self) -> Any:
        """Return the body.

        Raises:
            Refusal: 400 when it is no JSON.
        """
        try:
            return orjson.loads(await self.request.body())
        except orjson.JSONDecodeError as error:
            raise answers.orders(400, "The request body is not valid JSON") from error


Handler = Callable[[Visit], Awaitable[Response]]


class Endpoint:
    """Serves one route: account, budget, faults, key, permission, handler; in this order."""

    def __init__(self, shops: Shops, call: Call | None, handler: Handler, name: str) -> None:
        self._shops = shops
        self._call = call
        self._handler = handler
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        shop = self._shops.get(scope["path_params"]["account"])
        if shop is None:
            await answers.empty(404)(scope, receive, send)
            return
        response = await self._respond(shop, request)
        await response(scope, receive, send)

    async def _respond(self, shop: Shop, request: Request) -> Response:
        hostility, faults = shop.hostility, shop.faults
        try:
            faults.throttle(hostility, self._name)
            await faults.delay(hostility)
            failure = faults.failure(hostility)
            if failure is not None and not faults.has_effect(hostility):
                return failure
            response = await self._handler(Visit(shop, request, self._admit(shop, request)))
            return failure or faults.damage(hostility, response)
        except Refusal as refusal:
            return refusal.response

    def _admit(self, shop: Shop, request: Request) -> Key | None:
        """Return the caller's key: 401 for a wrong one, 403 for one whose roles lack the resource (NOTES 1)."""
        if self._call is None:
            return None
        refuse = answers.master_data if self._call in _MASTER_DATA else partial(answers.orders, code="1")
        key = _caller(shop, request)
        if key is None:
            raise refuse(401, "Unauthorized access" if self._call not in _MASTER_DATA else "Unauthorized")
        if not key.may(self._call, request.path_params.get("acronym", "")):
            raise refuse(403, "Unauthorized" if self._call in _MASTER_DATA else "Access denied")
        return key


def _caller(shop: Shop, request: Request) -> Key | None:
    headers = request.headers
    app_key, token = headers.get("x-vtex-api-appkey"), headers.get("x-vtex-api-apptoken")
    if app_key is not None and token is not None:
        return shop.keyring.open(app_key, token)
    login = headers.get("vtexidclientautcookie") or request.cookies.get("VtexIdclientAutCookie")
    return shop.keyring.holder(login) if login else None


def route(shops: Shops, method: str, path: str, call: Call | None, handler: Handler) -> BaseRoute:
    """Return a route under an account."""
    name = f"{method} {path}"
    return Route(f"/{{account}}{path}", Endpoint(shops, call, handler, name), methods=[method], name=name)
