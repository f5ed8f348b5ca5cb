"""Every call that the product makes, as one table: VTEX's operation, how to ask the sandbox, our own shape of it."""

from dataclasses import dataclass, field
from typing import Any

import httpx

FEED_CONFIG = {
    "filter": {"type": "FromWorkflow", "status": ["payment-pending", "invoiced", "canceled"]},
    "queue": {"visibilityTimeoutInSeconds": 240, "MessageRetentionPeriodInSeconds": 345600},
}
HOOK_CONFIG = {"filter": FEED_CONFIG["filter"], "hook": {"url": "https://c.example/h", "headers": {"key": "value"}}}


@dataclass(frozen=True)
class Call:
    """One operation.

    Attributes:
        file: VTEX's OpenAPI file.
        path: VTEX's path; `{names}` are filled from `parts`.
        shape: name of our own schema of the answer; with `[]` the answer is a list of it.
    """

    file: str
    method: str
    path: str
    shape: str
    parts: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int = 200

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status} {self.shape}"

    async def ask(self, client: httpx.AsyncClient) -> httpx.Response:
        """Call the sandbox."""
        path = self.path.format(**self.parts)
        answer = await client.request(self.method, path, params=self.query, headers=self.headers, json=self.body)
        assert answer.status_code == self.status, answer.text
        return answer


async def order_ids(client: httpx.AsyncClient) -> list[str]:
    """Return the ids of every order."""
    listed = await client.get("/api/oms/pvt/orders", params={"per_page": 100})
    return [row["orderId"] for row in listed.json()["list"]]


async def all_calls(client: httpx.AsyncClient, shop) -> list[Call]:
    """Return the calls with parts that exist in the shop."""
    customer = next(iter(shop.customers.stored.values())).document["id"]
    address = next(iter(shop.addresses.stored.values())).document["id"]
    orders = await order_ids(client)
    login = {"appkey": shop.app_key, "apptoken": shop.app_token}
    token = (await client.post("/api/vtexid/apptoken/login", json=login)).json()["token"]
    return [*_master_data(customer, address), *_orders(orders, shop), *_feed(), *_identity(login, token)]


def _master_data(customer: str, address: str) -> list[Call]:
    entity, all_fields = {"acronym": "CL"}, {"_fields": "_all"}
    base, rows = "/api/dataentities/{acronym}", {"REST-Range": "resources=0-100"}
    md = "master-data-v1"
    return [
        Call(md, "GET", f"{base}/search", "customer[]", entity, all_fields, rows),
        Call(md, "GET", f"{base}/search", "address[]", {"acronym": "AD"}, all_fields, rows),
        Call(md, "GET", f"{base}/scroll", "customer[]", entity, {**all_fields, "_size": 1000}),
        Call(md, "GET", f"{base}/documents/{{id}}", "customer", {**entity, "id": customer}, all_fields),
        Call(md, "GET", "/api/dataentities/AD/documents/{addressId}", "address", {"addressId": address},
             all_fields),
        Call(md, "GET", f"{base}/documents/{{id}}/versions", "version[]", {**entity, "id": customer}),
        Call(md, "GET", "/api/dataentities", "entity[]"),
        Call(md, "GET", base, "entity", entity),
    ]  # fmt: skip


def _orders(orders: list[str], shop) -> list[Call]:
    base, group = "/api/oms/pvt/orders", shop.book.orders[orders[0]]["orderGroup"]
    return [
        Call("orders", "GET", base, "order_list", query={"per_page": 100}),
        *(Call("orders", "GET", f"{base}/{{orderId}}", "order", parts={"orderId": order}) for order in orders),
        Call("orders", "GET", f"{base}/order-group/{{orderGroup}}", "order[]", {"orderGroup": group}),
        Call("orders", "GET", f"{base}/{{orderId}}/conversation-message", "message[]", {"orderId": orders[0]}),
    ]


def _feed() -> list[Call]:
    feed = "/api/orders/feed"
    return [
        Call("orders", "POST", f"{feed}/config", "nothing", body=FEED_CONFIG),
        Call("orders", "GET", f"{feed}/config", "feed_config"),
        Call("orders", "GET", feed, "event[]", query={"maxlot": 10}),
        Call("orders", "POST", feed, "nothing", body={"handles": ["x"]}),
        Call("orders", "DELETE", f"{feed}/config", "nothing"),
        Call("orders", "POST", "/api/orders/hook/config", "hook_config", body=HOOK_CONFIG),
        Call("orders", "GET", "/api/orders/hook/config", "hook_config"),
        Call("orders", "DELETE", "/api/orders/hook/config", "nothing"),
    ]


def _identity(login: dict[str, str], token: str) -> list[Call]:
    validate = "/api/vtexid/credential/validate"
    return [
        Call("vtex-id", "POST", "/api/vtexid/apptoken/login", "login", body=login),
        Call("vtex-id", "POST", validate, "credential", body={"token": token}),
        Call("vtex-id", "POST", validate, "wrong_credentials", body={"token": "x"}, status=401),
    ]
