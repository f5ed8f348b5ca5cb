"""OMS: orders, their lists, and the feed with its configuration (contracts/vtex NOTES 4)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from connectors.vtex.budget import Urgency
from connectors.vtex.client import Call, VtexClient
from connectors.vtex.errors import ContractChanged, Unavailable
from connectors.vtex.instants import Window
from schemas.clock import to_text

LOT: Final = 10
PER_PAGE: Final = 100
PAGES: Final = 30
"""VTEX's own limits (NOTES 4.1, 4.4)."""

STATUSES: Final = (
    "order-created", "on-order-completed", "on-order-completed-ffm", "payment-pending",
    "waiting-for-order-authorization", "approve-payment", "payment-approved", "request-cancel",
    "waiting-for-seller-decision", "waiting-ffmt-authorization", "waiting-for-authorization",
    "waiting-for-manual-authorization", "authorize-fulfillment", "order-create-error", "order-creation-error",
    "window-to-cancel", "window-to-change-seller", "waiting-for-mkt-authorization", "waiting-seller-handling",
    "ready-for-handling", "start-handling", "handling", "invoice-after-cancellation-deny", "order-accepted", "invoice",
    "invoiced", "replaced", "cancellation-requested", "cancel", "canceled",
)  # fmt: skip
"""Every status that a feed can be asked for (NOTES 4.2); VTEX does not check their spelling."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """Something happened to an order; what, its reading tells."""

    handle: str
    order_id: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list: its rows, and how many pages and orders the filter has."""

    rows: list["ListRow"]
    pages: int
    total: int


class ListRow(NamedTuple):
    """An order in a list: its id, and what the list says of its state; another `mark` means that it has changed."""

    id: str
    mark: str


class Orders:
    """Reads one account's orders."""

    def __init__(self, client: VtexClient) -> None:
        self.client = client

    async def order(self, order_id: str, urgency: Urgency) -> dict[str, Any] | None:
        """Return an order, or None when there is none (yet)."""
        path = f"/api/oms/pvt/orders/{quote(order_id, safe='')}"
        answer = await self.client.call(Call("GET", path, "orders", urgency, missing=True))
        if not answer.found:
            return None
        if not isinstance(answer.document, dict) or "orderId" not in answer.document:
            raise Unavailable(f"account {self.client.account} answered an order without one")
        return answer.document

    async def listed(
        self, window: Window, page: int, urgency: Urgency, *, by: str = "creationDate", status: str | None = None
    ) -> Listed:
        """Return a page of the orders whose date (`creationDate`, `invoicedDate`, `authorizedDate`) is in a window."""
        query: dict[str, str | int] = {
            "orderBy": "creationDate,asc", "page": page, "per_page": PER_PAGE,
            f"f_{by}": f"{by}:[{to_text(window.start)} TO {to_text(window.end)}]",
        }  # fmt: skip
        if status is not None:
            query["f_status"] = status
        # Where the first page was answered there are lists; a later one that is not says nothing of the address.
        answer = await self.client.call(
            Call("GET", "/api/oms/pvt/orders", "orders list", urgency, query, missing=page > 1)
        )
        document = answer.document
        if document is None:
            raise Unavailable(f"account {self.client.account} answered page {page} of a list of orders without one")
        try:
            rows = [ListRow(str(row["orderId"]), _mark(row)) for row in document["list"]]
            paging = document["paging"]
            return Listed(rows, int(paging["pages"]), int(paging["total"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ContractChanged(
                f"account {self.client.account} answered a list of orders in another shape"
            ) from error

    async def feed(self) -> list[FeedEvent] | None:
        """Return what the feed holds now, at most ten events; None when this key has no feed."""
        answer = await self.client.call(Call(
            "GET", "/api/orders/feed", "orders feed", Urgency.FOLLOW, {"maxlot": LOT}, missing=True
        ))  # fmt: skip
        if not answer.found:
            return None
        rows = answer.document or []
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("handle") for row in rows):
            raise ContractChanged(f"account {self.client.account} answered feed events without handles")
        return [FeedEvent(str(row["handle"]), row.get("orderId") or None) for row in rows]

    async def commit(self, handles: Iterable[str]) -> None:
        """Take events off the feed; again and again is harmless."""
        body = {"handles": list(handles)}
        await self.client.call(Call("POST", "/api/orders/feed", "orders feed", Urgency.FOLLOW, body=body, missing=True))

    async def feed_config(self) -> dict[str, Any] | None:
        """Return the feed's configuration and how full it is; None when this key has none."""
        answer = await self.client.call(
            Call("GET", "/api/orders/feed/config", "orders feed", Urgency.FOLLOW, missing=True)
        )
        return answer.document if answer.found and isinstance(answer.document, dict) else None

    async def configure_feed(self, visibility: float, retention: float) -> None:
        """Create the feed, or put it right; what waits in it survives (NOTES 4.4)."""
        body = {
            "filter": {"type": "FromWorkflow", "status": list(STATUSES)},
            "queue": {
                "visibilityTimeoutInSeconds": int(visibility), "MessageRetentionPeriodInSeconds": int(retention),
            },
        }  # fmt: skip
        await self.client.call(Call("POST", "/api/orders/feed/config", "orders feed", Urgency.FOLLOW, body=body))

    async def hook_config(self) -> dict[str, Any] | None:
        """Return the hook's configuration; None when this key has none."""
        answer = await self.client.call(
            Call("GET", "/api/orders/hook/config", "orders feed", Urgency.REPAIR, missing=True)
        )
        return answer.document if answer.found and isinstance(answer.document, dict) else None

    async def configure_hook(self, url: str, headers: dict[str, str]) -> None:
        """Create the hook, or put it right; VTEX pings its address first (NOTES 4.5)."""
        body = {"filter": {"type": "FromWorkflow", "status": list(STATUSES)}, "hook": {"url": url, "headers": headers}}
        await self.client.call(Call("POST", "/api/orders/hook/config", "orders feed", Urgency.REPAIR, body=body))


def _mark(row: dict[str, Any]) -> str:
    return " ".join(str(row.get(name)) for name in ("status", "authorizedDate", "invoicedDate", "totalValue"))
