"""The clients of a store's destinations, with its tokens opened."""

import httpx

from connectors.hellotext.client import Hellotext
from connectors.infobip.client import Infobip
from connectors.kafka.errors import WrongKey
from connectors.outbound import NotApplied
from schemas.stores import StoreConnection
from streams.engine.agent import NotYet
from streams.stores import Stores


class Access:
    """Clients by store; made for each call, since the connection may have changed.

    Args:
        stores: the connected stores.
        http: shared by all.
    """

    def __init__(self, stores: Stores, http: httpx.AsyncClient) -> None:
        self._stores = stores
        self._http = http

    def hellotext(self, store: str) -> Hellotext:
        """Return the client of a store's business.

        Raises:
            NotApplied: the store is not connected, or its token does not open.
        """
        access = self.connection(store).hellotext
        return Hellotext(self._http, access.url, access.business_id, self._open(access.token))

    def infobip(self, store: str) -> Infobip:
        """Return the client of a store's account.

        Raises:
            NotApplied: the store is not connected to Infobip, or its key does not open.
        """
        access = self.connection(store).infobip
        if access is None:
            raise NotApplied("the store is not connected to Infobip")
        return Infobip(self._http, access.url, self._open(access.api_key))

    def connection(self, store: str) -> StoreConnection:
        """Return a store.

        Raises:
            NotApplied: it is not connected.
        """
        try:
            return self._stores.of(store).connection
        except NotYet:
            raise NotApplied("the store is not connected") from None
        except WrongKey as error:
            raise NotApplied(str(error)) from None

    def _open(self, sealed: str) -> str:
        try:
            return self._stores.unseal(sealed)
        except WrongKey as error:
            raise NotApplied(str(error)) from None
