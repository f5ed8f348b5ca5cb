"""The client's requests are VTEX's OpenAPI files' requests, and the files' own examples are read as they stand."""

import json
import re
from functools import cache
from urllib.parse import parse_qs, urlsplit

import httpx
import jsonschema
import pytest

from connectors.vtex.backfill import Backfill
from connectors.vtex.budget import Urgency
from connectors.vtex.client import Call
from connectors.vtex.customer import OWNER_FIELDS, read_address
from connectors.vtex.feed import OrderFeed
from connectors.vtex.follow import AddressFollower, Follower
from connectors.vtex.hook import OrderHook
from connectors.vtex.instants import Window
from connectors.vtex.masterdata import MasterData
from connectors.vtex.oms import Orders
from connectors.vtex.order import read_order
from connectors.vtex.order_lists import OrderLists
from connectors.vtex.people import People
from connectors.vtex.purchases import Purchases
from connectors.vtex.store import _owners, _scrolled
from sandbox.vtex.masking import Mask
from sandbox.vtex.shop import Shop
from schemas.vtex import OrderRead
from tests.shared import shared_file
from tests.unit.vtex.memory import MemoryJournal, client_of, source_of

FILES = ("master-data-v1.json", "orders.json", "vtex-id.json")
METHODS = {"get", "post", "put", "patch", "delete"}


@cache
def _spec(name):
    return json.loads(shared_file(f"contracts/vtex/{name}").read_text())


def _operation(request):
    """Return the operation that a request is, and its document."""
    path = urlsplit(str(request.url)).path.removeprefix("/vtex/acme")
    found = []
    for name in FILES:
        for template, item in _spec(name)["paths"].items():
            pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
            if re.fullmatch(pattern, path) and request.method.lower() in item:
                found.append((template.count("{"), template, item, _spec(name)))
    assert found, f"{request.method} {path} is no call of VTEX"
    _, template, item, spec = min(found, key=lambda each: each[0])
    return template, item[request.method.lower()], item.get("parameters", []), spec


def _resolve(spec, part):
    while "$ref" in part:
        found = spec
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def _check(request):
    template, operation, shared, spec = _operation(request)
    query = parse_qs(urlsplit(str(request.url)).query, keep_blank_values=True)
    known = [_resolve(spec, each) for each in (*shared, *operation.get("parameters", []))]
    names = {each["name"].lower() for each in known if each["in"] == "query"}
    assert {name.lower() for name in query} <= names, f"{template}: unknown query parameters"
    for each in known:
        if not each.get("required"):
            continue
        if each["in"] == "header":
            assert each["name"].lower() in request.headers, f"{template}: header {each['name']} is missing"
        # A scroll goes on with its token only; the first call names what it wants (NOTES 2.2).
        if each["in"] == "query" and "_token" not in query:
            assert each["name"] in query, f"{template}: {each['name']} is missing"
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.validate(json.loads(request.content), {**schema, "components": spec.get("components", {})})
    return template


async def _everything(shop):
    """Let every reader read, and return the requests they made."""
    journal, requests = MemoryJournal(), []

    async def note(request):
        requests.append(request)

    source = source_of(shop, journal)
    source.client._http.event_hooks["request"].append(note)
    people = People(source)
    purchases = Purchases(source, people)
    lists = OrderLists(source, purchases)
    await Backfill(source, "CL", people.fields, _scrolled(source, people), "customers.backfill").run()
    await Backfill(source, "AD", OWNER_FIELDS, _owners(source, people), "addresses.backfill").run()
    customer = shop.put_customer({"email": "bia@shop.example"})
    shop.put_address({"userId": customer, "addressName": "home", "city": "Natal"})
    await Follower(source, people).look()
    await AddressFollower(source, people).look()
    feed = OrderFeed(source, purchases, lists)
    await feed.look()
    shop.place_order({"customer": customer, "items": [{"sku": "1", "price": 1, "quantity": 1}]})
    await feed.look()
    await lists.backfill()
    await lists.repair(Window(source.client.now() - 1000, source.client.now()))
    await lists.refunds()
    await OrderHook(source, "https://collect.shop.example", "secret").look()
    return requests


async def _answered(*_):
    return 200


async def test_every_request_is_one_of_vtex():
    """Paths, methods, required headers and parameters, bodies; and nothing that VTEX does not know."""
    shop = Shop("acme", mask=Mask.HARD, sender=_answered)
    shop.put_customer({"email": "ana@shop.example"})
    templates = {_check(request) for request in await _everything(shop)}
    assert templates == {
        "/api/dataentities/{acronym}/search", "/api/dataentities/{acronym}/scroll",
        "/api/dataentities/{acronym}/documents/{id}", "/api/oms/pvt/orders", "/api/oms/pvt/orders/{orderId}",
        "/api/orders/feed", "/api/orders/feed/config", "/api/orders/hook/config",
    }  # fmt: skip


async def test_nothing_is_ever_written_to_customers():
    """A mark in CL would move updatedIn and loop the poller (NOTES 2.9)."""
    shop = Shop("acme", sender=_answered)
    shop.put_customer({"email": "ana@shop.example"})
    written = [request for request in await _everything(shop) if request.method != "GET"]
    assert {urlsplit(str(request.url)).path for request in written} <= {
        "/vtex/acme/api/orders/feed", "/vtex/acme/api/orders/feed/config",
        "/vtex/acme/api/orders/hook/config",
    }  # fmt: skip


def _answering(status=200, headers=None, document=None):
    """Return a client that gets one answer, whatever it asks."""
    client = client_of(Shop("acme"))
    answer = httpx.Response(status, headers=headers, json=document)
    client._http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer))
    return client


def _example(name, path, method="get"):
    content = _spec(name)["paths"][path][method]["responses"]["200"]["content"]
    [media] = content.values()
    return media.get("example") or next(iter(media["examples"].values()))["value"]


@pytest.mark.parametrize("told", ["resources=0-10/98", "resources 0-100/98", "resources 0-10/98"])
async def test_ranges_are_read_in_every_spelling(told):
    """The reference and live stores write them differently (NOTES 2.1)."""
    example = _example("master-data-v1.json", "/api/dataentities/{acronym}/search")
    master = MasterData(_answering(headers={"REST-Content-Range": told}, document=example))
    page = await master.search("CL", ("id",), "id=1", start=0, count=10, urgency=Urgency.FOLLOW)
    assert (page.rows, page.total) == (example, 98)


async def test_the_example_of_an_order_is_read():
    """Reduced to what attribution needs, without a digit of its card."""
    example = _example("orders.json", "/api/oms/pvt/orders/{orderId}")
    order = await Orders(_answering(document=example)).order("1172452900788-01", Urgency.FOLLOW)
    data = read_order(order, "BRL", "feed")
    read = OrderRead.model_validate(data)
    assert (read.order_id, read.order_group, read.status, read.value) == (
        "1172452900788-01", "1415461749731", "handling", 1160,
    )  # fmt: skip
    assert [(each.invoice_number, each.value) for each in read.returns] == [("24382", 1015)]
    assert read.changes_value == -3290
    assert read.order_form_id == "33c887b2-bf49-4a18-8a0a-acc6b0d724bf"
    for digits in ("444433", '"351"', "4440"):
        assert digits not in json.dumps(data)


async def test_the_example_of_a_list_is_read():
    """Ids, pages and total."""
    example = _example("orders.json", "/api/oms/pvt/orders")
    listed = await Orders(_answering(document=example)).listed(Window(0, 1), 1, Urgency.FOLLOW)
    assert [row.id for row in listed.rows] == [row["orderId"] for row in example["list"]]
    assert (listed.pages, listed.total) == (example["paging"]["pages"], example["paging"]["total"])


async def test_the_example_of_the_feed_is_read():
    """Handles and orders."""
    example = _example("orders.json", "/api/orders/feed")
    [event] = await Orders(_answering(document=example)).feed()
    assert (event.handle, event.order_id) == (example[0]["handle"], "953712004126-01")


async def test_the_example_of_an_address_is_read():
    """AD's document, as the reference shows it."""
    paths = _spec("master-data-v1.json")["paths"]
    content = paths["/api/dataentities/AD/documents/{addressId}"]["get"]["responses"]["200"]["content"]
    example = next(iter(content.values())).get("example")
    assert set(read_address(example)) <= {
        "type", "label", "receiver", "street", "number", "complement", "neighborhood", "city", "state", "postal_code",
        "country", "reference",
    }  # fmt: skip
    assert read_address(example)


@pytest.mark.parametrize("message", ["Maximum simultaneous scrolls rate exceeded (10)"])
async def test_the_example_of_a_refused_scroll_is_understood(message):
    """A 400 whose meaning stands in its text only."""
    responses = _spec("master-data-v1.json")["paths"]["/api/dataentities/{acronym}/scroll"]["get"]["responses"]
    assert responses["400"]["content"]["application/json"]["example"]["Message"] == message
    client = _answering(400, document={"Message": message})
    with pytest.raises(Exception, match="ten scrolls"):
        await client.call(Call("GET", "/api/dataentities/CL/scroll", "customers", Urgency.BACKFILL))
