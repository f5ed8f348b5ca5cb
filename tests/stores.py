"""Connected stores for tests of agents: their secrets are in clear, and nothing needs a broker."""

from typing import Any

from schemas.stores import HellotextAccess, StoreConnection, VtexAccess
from streams.stores import Stores


class GivenDirectory:
    """A directory that knows what it was given; `put` connects another store."""

    def __init__(self, *connections: StoreConnection) -> None:
        self._stores = {connection.store: connection for connection in connections}

    def get(self, store: str) -> StoreConnection | None:
        """Return a store by its name."""
        return self._stores.get(store)

    def put(self, connection: StoreConnection) -> None:
        """Connect a store, or change one."""
        self._stores[connection.store] = connection

    async def catch_up(self) -> None:
        """Know what there is to know."""


def a_store(name: str = "acme", **changes: Any) -> StoreConnection:
    """Return a connected store in Brazil; every sealed value is the secret itself."""
    row: dict[str, Any] = {
        "store": name,
        "vtex": VtexAccess(account=name, url="http://127.0.0.1:1", app_key="key", app_token="token"),
        "hellotext": HellotextAccess(url="http://127.0.0.1:1/v1", business_id=f"BID-{name}", token="token"),
        "country": "BR",
        "timezone": "America/Sao_Paulo",
        "currency": "BRL",
        "hash_secret": f"hash-secret-of-{name}",
        "hook_secret": f"hook-secret-of-{name}",
        "server_token": f"server-token-of-{name}",
        "connected_at": "2026-01-01T00:00:00Z",
    }
    return StoreConnection(**{**row, **changes})


def stores_of(*connections: StoreConnection) -> Stores:
    """Return the stores as agents see them."""
    return Stores(GivenDirectory(*(connections or (a_store(),))), lambda sealed: sealed)
