"""What the sandbox's VTEX answers is what VTEX's OpenAPI files say, and what our own schemas say."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.contract.vtex.asking import HOOK_CONFIG, all_calls
from tests.contract.vtex.openapi import (
    answer_example,
    answer_headers,
    answer_schema,
    problems,
    specification,
    unknown_fields,
)

SHAPES = Path(__file__).parent / "shapes"
# The file spells these otherwise than its own example and NOTES 4.2 do.
MISSPELT = {"priceDefinition"}


def shape(name: str) -> dict[str, Any]:
    """Return one of our own schemas; `name[]` is a list of it."""
    schema = orjson.loads((SHAPES / f"{name.removesuffix('[]')}.json").read_bytes())
    return of_list(schema) if name.endswith("[]") else schema


def of_list(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list of something."""
    return {"type": "array", "minItems": 1, "items": schema}


class TestOurOwnShapes:
    async def test_every_answer_has_the_shape_that_the_product_relies_on(self, client, shop):
        """These hold where VTEX's files are missing."""
        for call in await all_calls(client, shop):
            answer = await call.ask(client)
            if call.shape == "nothing":
                assert answer.content == b"", str(call)
            elif not call.path.endswith("/feed"):
                assert problems(shape(call.shape), answer.json()) == [], str(call)

    async def test_events_and_notifications_have_theirs(self, client, shop):
        """A feed that was configured before the order was placed."""
        calls = {(call.method, call.path): call for call in await all_calls(client, shop)}
        await calls["POST", "/api/orders/feed/config"].ask(client)
        await client.post("/api/orders/hook/config", json=HOOK_CONFIG)
        shop.invoice_order(shop.place_order({"email": "a@x.example"}))
        await shop.courier.drain()
        events = (await calls["GET", "/api/orders/feed"].ask(client)).json()

        assert problems(shape("event[]"), events) == []
        assert len(events) == len(shop.courier.sent) == 2
        for parcel, _ in shop.courier.sent:
            assert problems(shape("notification"), orjson.loads(parcel.body)) == []

    async def test_errors_have_the_body_of_their_service(self, client):
        """Master Data and the order system differ."""
        wrong = {"X-VTEX-API-AppKey": "x"}
        master_data = await client.get("/api/dataentities/CL/search", headers=wrong)
        orders = await client.get("/api/oms/pvt/orders", headers=wrong)

        assert problems(shape("master_data_error"), master_data.json()) == []
        assert problems(shape("orders_error"), orders.json()) == []

    @pytest.mark.parametrize(
        ("file", "method", "path", "name"),
        [
            ("orders", "GET", "/api/oms/pvt/orders/{orderId}", "order"),
            ("orders", "GET", "/api/oms/pvt/orders", "order_list"),
            ("orders", "GET", "/api/orders/feed/config", "feed_config"),
            ("orders", "GET", "/api/orders/feed", "event"),
            ("orders", "POST", "/api/orders/hook/config", "notification"),
            ("orders", "GET", "/api/oms/pvt/orders/{orderId}/conversation-message", "message"),
            ("master-data-v1", "GET", "/api/dataentities/AD/documents/{addressId}", "address"),
            ("master-data-v1", "GET", "/api/dataentities/{acronym}", "entity"),
            ("master-data-v1", "GET", "/api/dataentities/{acronym}/documents/{id}/versions", "version"),
            ("vtex-id", "POST", "/api/vtexid/apptoken/login", "login"),
            ("vtex-id", "POST", "/api/vtexid/credential/validate", "credential"),
        ],
    )
    def test_vtexs_own_samples_have_our_shapes_too(self, file, method, path, name):
        """So that our schemas are not merely about ourselves."""
        sample = answer_example(file, method, path, 200)
        wanted = shape(name)

        assert problems(of_list(wanted) if isinstance(sample, list) else wanted, sample) == []


class TestOpenApi:
    async def test_every_answer_is_what_the_operation_describes(self, client, shop):
        """Every order in every state among them; operations that describe no body are skipped here."""
        checked = 0
        for call in await all_calls(client, shop):
            answer = await call.ask(client)
            described = specification(call.file)["paths"][call.path][call.method.lower()]["responses"]
            if "content" not in described[str(call.status)] or call.shape == "hook_config":
                continue
            wanted = answer_schema(call.file, call.method, call.path, call.status)
            assert problems(wanted, answer.json(), specification(call.file)) == [], str(call)
            checked += 1
            assert answer_headers(call.file, call.method, call.path, call.status) <= _headers(answer), str(call)
        assert checked >= 15

    async def test_events_are_what_the_feed_describes(self, client, shop):
        """And notifications what the hook's operation shows, which describes them as its answer."""
        await client.post("/api/orders/feed/config", json={"filter": HOOK_CONFIG["filter"], "queue": {
            "visibilityTimeoutInSeconds": 30, "MessageRetentionPeriodInSeconds": 345600}})  # fmt: skip
        await client.post("/api/orders/hook/config", json=HOOK_CONFIG)
        shop.place_order({"email": "a@x.example"})
        await shop.courier.drain()
        events = (await client.get("/api/orders/feed", params={"maxlot": 10})).json()
        orders = specification("orders")

        assert len(events) == 1
        assert problems(answer_schema("orders", "GET", "/api/orders/feed", 200), events, orders) == []
        notice = answer_schema("orders", "POST", "/api/orders/hook/config", 200)
        assert problems(notice, orjson.loads(shop.courier.sent[0][0].body), orders) == []

    async def test_orders_have_no_field_that_vtex_has_not(self, client, shop):
        """An invented field would be relied on some day."""
        described = answer_schema("orders", "GET", "/api/oms/pvt/orders/{orderId}", 200)
        items = described["properties"]["items"]["items"]
        for order in shop.book.orders.values():
            assert unknown_fields(described, order) == set()
            for item in order["items"]:
                assert unknown_fields(items, item) - MISSPELT == set()
            profile = described["properties"]["clientProfileData"]
            assert unknown_fields(profile, order["clientProfileData"]) == set()

    async def test_addresses_have_no_field_that_vtex_has_not(self, shop):
        """`addressName` is the field's name on stores; the sample has `addressLabel` only."""
        described = answer_schema("master-data-v1", "GET", "/api/dataentities/AD/documents/{addressId}", 200)
        for document in shop.addresses.all():
            assert unknown_fields(described, document) == {"addressName"}

    async def test_errors_are_what_the_operations_describe(self, client, shop):
        """Forbidden reads, and one scroll too many."""
        master_data = "/api/dataentities/{acronym}"
        key = shop.keyring.keys[shop.app_key]
        for _ in range(11):
            last = await client.get("/api/dataentities/CL/scroll", params={"_size": 1})
        key.resources = set()
        forbidden = await client.get("/api/dataentities/CL/documents/x")
        wrong = await client.get("/api/oms/pvt/orders", headers={"X-VTEX-API-AppKey": "x"})

        scroll = answer_schema("master-data-v1", "GET", f"{master_data}/scroll", 400)
        assert last.status_code == 400
        assert problems(scroll, last.json(), specification("master-data-v1")) == []
        document = answer_schema("master-data-v1", "GET", f"{master_data}/documents/{{id}}", 403)
        assert problems(document, forbidden.json(), specification("master-data-v1")) == []
        handling = answer_schema("orders", "POST", "/api/oms/pvt/orders/{orderId}/start-handling", 401)
        assert problems(handling, wrong.json(), specification("orders")) == []

    def test_a_wrong_answer_is_noticed(self):
        """The check itself works: a value in major units, or a missing event id."""
        order = answer_schema("orders", "GET", "/api/oms/pvt/orders/{orderId}", 200)
        feed = answer_schema("orders", "GET", "/api/orders/feed", 200)

        assert problems(order, {"value": 10.5}, specification("orders"))
        assert problems(feed, [{"handle": "x"}], specification("orders"))


def _headers(answer) -> set[str]:
    """Return the names of an answer's headers in VTEX's spelling."""
    spelling = {"rest-content-range": "REST-Content-Range", "rest-content-total": "REST-Content-Total",
                "x-vtex-md-token": "X-VTEX-MD-TOKEN"}  # fmt: skip
    return {spelling.get(name, name) for name in answer.headers if re.match(r"rest-|x-vtex", name)}
