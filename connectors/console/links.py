"""Addresses of the console's pages. Names of campaigns travel in the query: a browser would resolve dots in a path."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urlencode


def store_link(store: str, page: str = "", /, **query: object) -> str:
    """Return the address of a store's page; empty parts of the query are left out."""
    path = f"/stores/{quote(store)}" + (f"/{page}" if page else "")
    return with_query(path, **query)


def campaign_link(store: str, campaign: str, /, **query: object) -> str:
    """Return the address of a campaign's page."""
    return store_link(store, "campaign", name=campaign, **query)


def with_query(path: str, /, **query: object) -> str:
    """Return an address with a query, empty parts left out."""
    given = {name: value for name, value in query.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path


LINKS: Final[dict[str, Callable[..., str]]] = {
    "store_link": store_link, "campaign_link": campaign_link, "with_query": with_query,
}  # fmt: skip
