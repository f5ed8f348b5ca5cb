"""The first page, the storefront, and what a person may set while everything runs."""

import httpx
import pytest

from sandbox.serve import sandbox
from sandbox.settings import SandboxSettings
from tests.contract.destinations.conftest import client_of

SETTINGS = SandboxSettings(customers=6, collector="http://collector:8080")
CART = {
    "items": [{"sku": "1011", "quantity": 2}, {"sku": "1081", "quantity": 1}], "email": "eva@acme.example.com",
    "firstName": "Eva", "lastName": "Lima", "phone": "+5511987654321", "cart": "cart-1",
    "utm": {"source": "hellotext", "medium": "sms", "campaign": "c"},
}  # fmt: skip


@pytest.fixture
async def client():
    """A client of a sandbox that listens nowhere."""
    app, control = sandbox(SETTINGS, "http://sandbox")
    async with client_of(app, "", "") as client:
        yield client
    await control.close()


@pytest.mark.parametrize("path", ["", "tenis-corrida/p", "cart", "checkout", "checkout/orderPlaced?og=1"])
async def test_every_page_carries_the_pixel(client, path):
    """One line, with the store's public id; the checkout has its own script, since pixel apps do not run there."""
    account = (await client.get("/control/accounts")).json()[0]
    page = await client.get(f"/shop/acme/{path}")
    script = "checkout.js" if path == "checkout" else "pixel.js"

    assert page.status_code == 200
    assert f'src="http://collector:8080/v1/{script}" data-business="{account["business"]}"' in page.text


async def test_a_link_without_a_slash_keeps_its_campaign(client):
    """Links in messages are typed by people."""
    answer = await client.get("/shop/acme?utm_campaign=c")

    assert answer.headers["location"].endswith("/shop/acme/?utm_campaign=c")


async def test_a_checkout_places_an_order_in_vtex(client):
    """One part for each seller, under one group, with the campaign that VTEX remembers; the buyer is a customer."""
    account = (await client.get("/control/accounts")).json()[0]
    placed = (await client.post("/shop/acme/orders", json=CART)).json()
    again = (await client.post("/shop/acme/orders", json=CART)).json()
    headers = {"X-VTEX-API-AppKey": account["app_key"], "X-VTEX-API-AppToken": account["app_token"]}
    first, second = placed["ordersInOrderGroup"]
    order = (await client.get(f"/vtex/acme/api/oms/pvt/orders/{first}", headers=headers)).json()
    other = (await client.get(f"/vtex/acme/api/oms/pvt/orders/{second}", headers=headers)).json()
    repeated = (
        await client.get(f"/vtex/acme/api/oms/pvt/orders/{again['ordersInOrderGroup'][0]}", headers=headers)
    ).json()

    assert (order["orderGroup"], order["orderFormId"], order["marketingData"]["utmCampaign"]) == (
        placed["orderGroup"], "cart-1", "c",
    )  # fmt: skip
    assert placed["transactionTotal"] == (order["value"] + other["value"]) / 100
    assert order["clientProfileData"]["userProfileId"] == repeated["clientProfileData"]["userProfileId"]
    assert again["orderGroup"] != placed["orderGroup"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"items": [], "email": "a@b.c"}', b'{"items": [{"sku": "no"}]}'])
async def test_an_order_that_is_none_is_refused(client, body):
    """With one message."""
    answer = await client.post("/shop/acme/orders", content=body)

    assert (answer.status_code, list(answer.json())) == (422, ["error"])


async def test_unknown_shops_and_products_are_404(client):
    """And nothing else happens."""
    assert (await client.get("/shop/nobody/")).status_code == 404
    assert (await client.get("/shop/acme/nothing/p")).status_code == 404


async def test_the_first_page_shows_what_the_wizard_asks_for(client):
    """Every key of every account."""
    page = (await client.get("/")).text
    for account in (await client.get("/control/accounts")).json():
        for name in ("app_key", "app_token", "business", "hellotext_token", "infobip_key", "vtex_url", "timezone"):
            assert account[name] in page


async def test_the_shown_keys_open_every_door(client):
    """VTEX, Hellotext and Infobip take what the page shows."""
    for account in (await client.get("/control/accounts")).json():
        vtex, key = account["vtex_url"].removeprefix("http://sandbox"), account["app_key"]
        login = {"appkey": key, "apptoken": account["app_token"]}
        bearer = {"Authorization": f"Bearer {account['hellotext_token']}"}
        answers: list[httpx.Response] = [
            await client.post(f"{vtex}/api/vtexid/apptoken/login", json=login),
            await client.get("/hellotext/v1/profiles?limit=1", headers=bearer),
            await client.get("/infobip/people/2/persons?limit=1",
                             headers={"Authorization": f"App {account['infobip_key']}"}),
        ]  # fmt: skip
        assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_an_account_can_be_made_while_it_runs(client):
    """With customers of its own; a taken or unusable name, or an unknown country, is refused with a reason."""
    made = await client.post("/control/accounts", json={"account": "coral", "country": "MX", "customers": 5})
    refused = [
        await client.post("/control/accounts", json=body)
        for body in ({"account": "coral"}, {"account": "No Name"}, {"account": "x", "country": "XX"})
    ]

    assert (made.status_code, made.json()["currency"], made.json()["timezone"]) == (201, "MXN", "America/Mexico_City")
    assert (await client.get("/shop/coral/")).status_code == 200
    assert [answer.status_code for answer in refused] == [422] * 3
    assert all(answer.json()["error"] for answer in refused)


async def test_each_stand_in_can_be_made_to_misbehave(client):
    """And to behave again; a setting that does not exist is named."""
    account = (await client.get("/control/accounts")).json()[0]
    bearer = {"Authorization": f"Bearer {account['hellotext_token']}"}
    await client.post("/control/temper", json={"hellotext": {"throttled": 1.0}, "vtex": {"errors": 1.0}})
    throttled = await client.get("/hellotext/v1/profiles", headers=bearer)
    broken = await client.post("/vtex/acme/api/vtexid/apptoken/login", json={})
    await client.post("/control/temper", json={"hellotext": {}, "vtex": {}})
    calm = await client.get("/hellotext/v1/profiles", headers=bearer)
    unknown = await client.post("/control/temper", json={"infobip": {"mood": 1}})

    assert (throttled.status_code, broken.status_code >= 500, calm.status_code) == (429, True, 200)
    assert (unknown.status_code, "mood" in unknown.json()["error"]) == (422, True)


async def test_what_the_vendors_were_told_can_be_seen(client):
    """Profiles, sessions, events, persons and messages, by account."""
    account = (await client.get("/control/accounts")).json()[0]
    bearer = {"Authorization": f"Bearer {account['hellotext_token']}"}
    profile = (await client.post("/hellotext/v1/profiles", headers=bearer, json={"email": "a@b.example"})).json()
    told = (await client.get("/control/hellotext", params={"account": "acme"})).json()["accounts"]
    people = (await client.get("/control/infobip")).json()

    assert [p["id"] for p in told["acme"]["profiles"]] == [profile["id"]]
    assert told["acme"]["writes"] == {profile["id"]: 1}
    assert (people["accounts"]["acme"]["persons"], people["undelivered"]) == ([], 0)
