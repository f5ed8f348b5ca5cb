"""The storefront's pages, under /shop/{account}, and the checkout that places real orders in the stand-in VTEX."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.accounts import Account, Accounts
from sandbox.catalogue import BY_SLUG, PRODUCTS, WHOLE, Product
from sandbox.purchases import shipping_in

_HERE: Final = Path(__file__).parent
_MOST_PIECES: Final = 99
_SKUS: Final = {product.sku: product for product in PRODUCTS}
_PAGES: Final = Environment(
    loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


class Shopfront:
    """Handlers of the pages."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def routes(self) -> list[BaseRoute]:
        """Return the routes, to be mounted under /shop."""
        return [
            Route("/shop.js", self.script),
            Route("/shop.css", self.style),
            Route("/{account}", self.home_without_slash),
            Route("/{account}/", self.home),
            Route("/{account}/cart", self.cart),
            Route("/{account}/checkout", self.checkout),
            Route("/{account}/checkout/orderPlaced", self.placed),
            Route("/{account}/orders", self.order, methods=["POST"]),
            Route("/{account}/{slug}/p", self.product),
        ]

    async def script(self, _: Request) -> Response:
        """The page's own script."""
        return Response((_HERE / "static" / "shop.js").read_bytes(), 200, None, "text/javascript; charset=utf-8")

    async def style(self, _: Request) -> Response:
        """The page's style."""
        return Response((_HERE / "static" / "shop.css").read_bytes(), 200, None, "text/css; charset=utf-8")

    async def home_without_slash(self, request: Request) -> Response:
        """Send to the address with a slash, keeping the campaign in the query."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{request.url.path}/{query}")

    async def home(self, request: Request) -> Response:
        """All products."""
        return self._page(request, "home.html", products=PRODUCTS)

    async def product(self, request: Request) -> Response:
        """One product."""
        product = BY_SLUG.get(request.path_params["slug"])
        if product is None:
            raise HTTPException(404, "There is no such product.")
        return self._page(request, "product.html", product=product)

    async def cart(self, request: Request) -> Response:
        """The cart; its content is the browser's."""
        return self._page(request, "cart.html")

    async def checkout(self, request: Request) -> Response:
        """The checkout: pixel apps do not run there, checkout.js does (NOTES 6)."""
        return self._page(request, "checkout.html", script="checkout.js")

    async def placed(self, request: Request) -> Response:
        """The order-placed page, which tells the order again on each visit (NOTES 6.1)."""
        return self._page(request, "placed.html")

    async def order(self, request: Request) -> Response:
        """Place an order as VTEX's checkout does, and return what the next page tells of it."""
        account = self._account(request)
        try:
            told = orjson.loads(await request.body())
            lines = [(_SKUS[item["sku"]], min(int(item["quantity"]), _MOST_PIECES)) for item in told["items"]]
            email = str(told["email"]).strip()
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return Response(b'{"error": "send items and an e-mail"}', 422, None, "application/json")
        if not lines or "@" not in email:
            return Response(b'{"error": "send items and an e-mail"}', 422, None, "application/json")
        return Response(orjson.dumps(_place(account, told, email, lines)), 201, None, "application/json")

    def _account(self, request: Request) -> Account:
        account = self._accounts.get(request.path_params["account"])
        if account is None:
            raise HTTPException(404, "There is no such shop here.")
        return account

    def _page(self, request: Request, template: str, *, script: str = "pixel.js", **more: Any) -> Response:
        account = self._account(request)
        known = [person.email for person in account.keeping.known if person.email][:8]
        data = {
            "account": account.name, "currency": account.currency, "base": f"/shop/{account.name}",
            "shipping": shipping_in(account.currency), "products": {p.sku: _shown(p, account) for p in PRODUCTS},
        }  # fmt: skip
        shown = {
            "account": account, "base": data["base"], "data": data, "known": known, "products": PRODUCTS,
            "kind": template.partition(".")[0], "money": _money(account.currency), "pixel": script,
            "collector": request.query_params.get("collector", account.collector),
        }  # fmt: skip
        page = _PAGES.get_template(template).render(shown | more)
        return HTMLResponse(page)


def storefront(accounts: Accounts) -> list[BaseRoute]:
    """Return the routes of the storefront, to be mounted under /shop."""
    return Shopfront(accounts).routes()


def _place(account: Account, told: Mapping[str, Any], email: str, lines: list[tuple[Product, int]]) -> dict[str, Any]:
    shop, currency = account.shop, account.currency
    buyer = {name: str(told.get(name) or "") for name in ("firstName", "lastName", "phone")}
    known = shop.records.find("CL", "email", email)
    profile = {"email": email, "firstName": buyer["firstName"], "lastName": buyer["lastName"],
               "homePhone": buyer["phone"] or None}  # fmt: skip
    customer = shop.put_customer(profile if known is None else {"id": known["id"], **profile})
    utm = told.get("utm") or {}
    marketing = {f"utm{name.title()}": str(utm[name]) for name in ("source", "medium", "campaign") if utm.get(name)}
    order_id = shop.place_order(
        {
            "customer": customer, **buyer, "email": email, "orderFormId": str(told.get("cart") or ""),
            "currency": currency, "shipping": shipping_in(currency), "marketing": marketing or None,
            "items": [
                {"sku": p.sku, "productId": p.id, "name": p.name, "seller": p.seller, "quantity": n,
                 "price": p.price_in(currency)}
                for p, n in lines
            ],
        }
    )  # fmt: skip
    order = shop.order(order_id)
    parts = shop.book.parts(order["orderGroup"])
    for part in parts:
        shop.approve_order(part["orderId"])
    return {
        "orderGroup": order["orderGroup"], "ordersInOrderGroup": [part["orderId"] for part in parts],
        "transactionTotal": sum(part["value"] for part in parts) / 100,
        "transactionCurrency": currency, "transactionDate": datetime.now(UTC).isoformat(),
        "visitorContactInfo": [email, buyer["firstName"], buyer["lastName"]], "visitorContactPhone": buyer["phone"],
        "transactionProducts": [
            {"id": p.id, "sku": p.sku, "name": p.name, "brand": p.brand, "quantity": n,
             "sellingPrice": p.price_in(currency) / 100}
            for p, n in lines
        ],
    }  # fmt: skip


def _shown(product: Product, account: Account) -> dict[str, Any]:
    return {
        "id": product.id, "sku": product.sku, "slug": product.slug, "name": product.name, "brand": product.brand,
        "category": product.category, "price": product.price_in(account.currency), "seller": product.seller,
    }  # fmt: skip


def _money(currency: str) -> Any:
    def text(hundredths: int) -> str:
        return f"{currency} {hundredths / 100:,.{0 if currency in WHOLE else 2}f}"

    return text
