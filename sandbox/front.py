"""The first page: what is here, and the keys to type into the wizard."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.accounts import Accounts
from sandbox.control import Control

_PAGES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_ASKED: Final = (
    ("VTEX account", "account"), ("VTEX address", "vtex_url"), ("App Key", "app_key"), ("App Token", "app_token"),
    ("Hellotext address", "hellotext_url"), ("Hellotext business id", "business"),
    ("Hellotext token", "hellotext_token"), ("Infobip address", "infobip_url"), ("Infobip API key", "infobip_key"),
    ("Country", "country"), ("Time zone", "timezone"), ("Currency", "currency"), ("Origin of the shop", "origin"),
)  # fmt: skip


def front(accounts: Accounts, control: Control) -> list[BaseRoute]:
    """Return the route of the first page."""

    async def page(_: Request) -> Response:
        shown = [_account(control.keys(account), len(account.shop.customers.stored)) for account in accounts]
        return HTMLResponse(_PAGES.get_template("front.html").render(accounts=shown))

    return [Route("/", page)]


def _account(keys: dict[str, Any], customers: int) -> dict[str, Any]:
    return {
        "name": keys["account"], "storefront": keys["storefront"], "customers": customers,
        "asked": [(label, keys[name]) for label, name in _ASKED],
    }  # fmt: skip
