"""The sandbox's own interface, under /control: for people and the demo, never used by the product."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.accounts import Account, AccountError, Accounts
from sandbox.day import Player, Venue
from sandbox.hellotext.book import Business
from sandbox.infobip.api import Infobip
from sandbox.ledger import controls
from sandbox.temper import Moody, temper_from
from sandbox.vtex.hostility import Hostility

Handler = Callable[[Request], Awaitable[Response]]
CSV_COLUMNS: Final = ("campaign", "name", "channel", "day", "recipients", "deliveries", "cost", "currency")
_CUSTOMERS: Final = 120
_MOST_CUSTOMERS: Final = 10_000


class ControlError(ValueError):
    """The call is refused; says what to do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Control:
    """Handlers of /control.

    Args:
        url: the sandbox's own address.
    """

    def __init__(self, accounts: Accounts, hellotext: Moody, infobip: Infobip, url: str) -> None:
        self._accounts = accounts
        self._hellotext = hellotext
        self._infobip = infobip
        self._url = url
        self._player = Player()
        self._playing: asyncio.Task[None] | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the routes, to be mounted under /control."""
        return [
            _route("POST", "/day", self.start_day),
            _route("GET", "/day", self.day),
            _route("GET", "/ledger", self.ledger),
            _route("GET", "/campaigns", self.campaigns),
            _route("GET", "/accounts", self.list_accounts),
            _route("POST", "/accounts", self.open_account),
            _route("GET", "/hellotext", self.hellotext),
            _route("GET", "/infobip", self.infobip),
            _route("POST", "/infobip", self.send_reports_to),
            _route("POST", "/temper", self.set_temper),
        ]

    async def close(self) -> None:
        """Stop what runs in the background."""
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        await self._accounts.reporter.close()

    async def start_day(self, request: Request) -> Response:
        """`POST /control/day`: play a day in the background; 409 while one is played."""
        if self._playing is not None and not self._playing.done():
            raise ControlError(409, "a day is being played: wait until GET /control/day says that it is finished")
        body = await _body(request)
        seed = _number(body, "seed", 7)
        customers = _number(body, "customers", _CUSTOMERS, _MOST_CUSTOMERS)
        told = body.get("stores")
        venues = [self._venue(store, seed) for store in told] if isinstance(told, list) else []
        if not venues:
            raise ControlError(422, "stores is missing: give store, account, collector and reports_url of each")
        self._playing = asyncio.create_task(self._play(venues, seed, customers))
        return _reply({"started": True, "seed": seed, "stores": [venue.store for venue in venues]}, 202)

    async def day(self, _: Request) -> Response:
        """`GET /control/day`: how far it is."""
        return _reply(self._player.progress.document())

    async def ledger(self, _: Request) -> Response:
        """`GET /control/ledger`: what every figure must be, of all days that were played."""
        return _reply(controls({name: facts for account in self._accounts for name, facts in account.facts.items()}))

    async def campaigns(self, request: Request) -> Response:
        """`GET /control/campaigns?store=acme`: the merchant's list, to be imported."""
        store = request.query_params.get("store", "")
        facts = next((a.facts[store] for a in self._accounts if store in a.facts), None)
        if facts is None:
            raise ControlError(404, "no day has been played for this store: POST /control/day first")
        text = io.StringIO()
        lines = csv.writer(text)
        lines.writerow(CSV_COLUMNS)
        for row in facts.rows:
            cost = (row.cost.amount.normalize(), row.cost.currency) if row.cost else ("", "")
            figures = ("" if figure is None else figure for figure in (row.recipients, row.deliveries))
            lines.writerow([row.campaign, row.name, row.channel, row.day, *figures, f"{cost[0]:f}" if row.cost else "",
                            cost[1]])  # fmt: skip
        return Response(text.getvalue(), 200, None, "text/csv; charset=utf-8")

    async def list_accounts(self, _: Request) -> Response:
        """`GET /control/accounts`: every key and address that the wizard asks for."""
        return _reply([self.keys(account) for account in self._accounts])

    async def open_account(self, request: Request) -> Response:
        """`POST /control/accounts` `{"account", "country"?, "customers"?, "currency"?}`."""
        body = await _body(request)
        try:
            account = self._accounts.open(
                str(body.get("account") or ""), str(body.get("country") or "BR"),
                _number(body, "customers", 30, _MOST_CUSTOMERS),
                body.get("currency"),
            )  # fmt: skip
        except AccountError as error:
            raise ControlError(422, str(error)) from error
        return _reply(self.keys(account), 201)

    async def hellotext(self, request: Request) -> Response:
        """`GET /control/hellotext[?account=acme]`: everything that Hellotext was told."""
        wanted = request.query_params.get("account")
        told = {a.name: _told(a.business) for a in self._accounts if wanted in {None, a.name}}
        return _reply({"accounts": told, "faults": dict(self._hellotext.faults)})

    async def infobip(self, request: Request) -> Response:
        """`GET /control/infobip[?account=acme]`: persons, messages, and reports that nobody took."""
        wanted = request.query_params.get("account")
        told = {
            a.name: {
                "persons": list(a.infobip.people.persons.values()), "messages": list(a.infobip.messages.values()),
                "calls": dict(a.infobip.calls), "reports_url": bool(a.infobip.reports_url),
            }
            for a in self._accounts if wanted in {None, a.name}
        }  # fmt: skip
        undelivered = len(self._accounts.reporter.undelivered)
        return _reply({"accounts": told, "faults": dict(self._infobip.faults), "undelivered": undelivered})

    async def send_reports_to(self, request: Request) -> Response:
        """`POST /control/infobip` `{"account", "reports_url"}`: where reports of messages go that name no address."""
        body = await _body(request)
        self._account(body).infobip.reports_url = body.get("reports_url")
        return _reply({"set": True})

    async def set_temper(self, request: Request) -> Response:
        """`POST /control/temper` `{"hellotext": {...}, "infobip": {...}, "vtex": {...}}`: how badly each behaves."""
        body = await _body(request)
        try:
            if "hellotext" in body:
                self._hellotext.become(temper_from(body["hellotext"]))
            if "infobip" in body:
                self._infobip.become(temper_from(body["infobip"]))
            if "vtex" in body:
                self._accounts.hostility = Hostility(**body["vtex"])
                for account in self._accounts:
                    account.shop.hostility = self._accounts.hostility
        except TypeError as error:
            raise ControlError(422, f"a setting is not known here: {error}") from error
        return _reply({"set": sorted(body)})

    def keys(self, account: Account) -> dict[str, Any]:
        """Return what the wizard asks for."""
        return {
            "account": account.name, "vtex_url": f"{self._url}/vtex/{account.name}",
            "app_key": account.shop.app_key, "app_token": account.shop.app_token,
            "hellotext_url": f"{self._url}/hellotext/v1", "business": account.business.id,
            "hellotext_token": account.business.token, "infobip_url": f"{self._url}/infobip",
            "infobip_key": account.infobip.key, "country": account.country.code,
            "timezone": account.country.timezone, "currency": account.currency, "origin": self._url,
            "storefront": f"{self._url}/shop/{account.name}/",
        }  # fmt: skip

    async def _play(self, venues: list[Venue], seed: int, customers: int) -> None:
        await self._player.play(venues, seed, customers)

    def _venue(self, told: Any, seed: int) -> Venue:
        if not isinstance(told, dict) or not told.get("store") or not told.get("collector"):
            raise ControlError(422, "each store needs at least store, account and collector")
        account = self._account(told)
        if seed in account.days:
            raise ControlError(409, f"the day {seed} of {account.name} was played already: choose another seed")
        account.collector = str(told["collector"]).rstrip("/")
        account.infobip.reports_url = told.get("reports_url")
        return Venue(
            store=str(told["store"]), account=account, business=str(told.get("business") or account.business.id),
            collector=account.collector, reports_url=told.get("reports_url"),
            origin=str(told.get("origin") or self._url),
            timezone=str(told.get("timezone") or account.country.timezone),
            currency=str(told.get("currency") or account.currency),
        )  # fmt: skip

    def _account(self, told: dict[str, Any]) -> Account:
        account = self._accounts.get(str(told.get("account") or told.get("store") or ""))
        if account is None:
            raise ControlError(404, "there is no such account here: POST /control/accounts makes one")
        return account


def _told(business: Business) -> dict[str, Any]:
    return {
        "business": business.id, "profiles": [p.shown(business.clock()) for p in business.profiles.values()],
        "writes": {p.id: p.writes for p in business.profiles.values()}, "deleted": business.deleted,
        "sessions": business.sessions, "told": business.told, "messages": list(business.messages.values()),
        "properties": list(business.properties.values()), "calls": dict(business.calls),
    }  # fmt: skip


def _number(body: dict[str, Any], name: str, otherwise: int, most: int | None = None) -> int:
    value = body.get(name, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ControlError(422, f"{name} is no whole number")
    if most is not None and value > most:
        raise ControlError(422, f"{name} is more than {most}: they are made at once, and everything here waits for it")
    return value


async def _body(request: Request) -> dict[str, Any]:
    try:
        document = orjson.loads(await request.body() or b"{}")
    except orjson.JSONDecodeError as error:
        raise ControlError(400, "the body is not JSON") from error
    if not isinstance(document, dict):
        raise ControlError(422, "the body is no JSON object")
    return document


def _route(method: str, path: str, handler: Handler) -> Route:
    async def serve(request: Request) -> Response:
        try:
            return await handler(request)
        except ControlError as error:
            return _reply({"error": str(error)}, error.status)

    return Route(path, serve, methods=[method], name=f"{method} {path}")


def _reply(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, None, "application/json")
