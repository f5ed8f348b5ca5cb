"""Keys, roles, login tokens; Master Data triggers; cut connections and half documents."""

import time
from types import SimpleNamespace

import httpx
import orjson
import pytest

from sandbox.vtex.bulk import customer_id, fill
from sandbox.vtex.clock import DAY
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.keys import Call, Resource
from sandbox.vtex.serve import serving
from sandbox.vtex.shop import Shop
from sandbox.vtex.triggers import Trigger
from tests.unit.sandbox_vtex.conftest import keys_of

WRONG = {"X-VTEX-API-AppKey": "vtexappkey-acme-NOBODY", "X-VTEX-API-AppToken": "X"}
NEEDS = [
    ("/api/dataentities/CL/search", Resource.READ_DOCUMENTS, {"Message": "Unauthorized"}),
    ("/api/dataentities/AD/scroll", Resource.READ_DOCUMENTS, {"Message": "Unauthorized"}),
    ("/api/dataentities", Resource.LIST_ENTITIES, {"Message": "Unauthorized"}),
    ("/api/dataentities/CL", Resource.VIEW_ENTITY, {"Message": "Unauthorized"}),
    ("/api/oms/pvt/orders", Resource.LIST_ORDERS, None),
    ("/api/oms/pvt/orders/1-01", Resource.VIEW_ORDER, None),
    ("/api/oms/pvt/orders/1-01/conversation-message", Resource.ORDERS_FULL, None),
    ("/api/orders/feed/config", Resource.FEED_ADMIN, None),
    ("/api/orders/hook/config", Resource.FEED_VIEW, None),
]


class TestKeys:
    @pytest.mark.parametrize(("path", "resource", "body"), NEEDS)
    async def test_wrong_keys_and_missing_roles_are_told_apart(self, shop, client, path, resource, body):
        """401, 403, and with the one resource neither."""
        key = shop.keyring.keys[shop.app_key]
        key.resources = set()
        wrong, missing = await client.get(path, headers=WRONG), await client.get(path)
        key.resources = {resource}
        enough = await client.get(path)

        assert (wrong.status_code, missing.status_code) == (401, 403)
        assert enough.status_code not in {401, 403}
        assert missing.json() == (body or missing.json())
        assert list(wrong.json()) == (["Message"] if body else ["error"])

    async def test_one_entity_can_be_closed_to_a_key(self, shop, client):
        """Its roles open the call, and it is refused all the same: 403 for that call on that entity, and no other."""
        shop.keyring.keys[shop.app_key].closed.add((Call.SCROLL, "CL"))

        assert (await client.get("/api/dataentities/CL/scroll")).status_code == 403
        assert (await client.get("/api/dataentities/cl/scroll")).status_code == 403
        assert (await client.get("/api/dataentities/CL/search")).status_code == 200
        assert (await client.get("/api/dataentities/AD/scroll")).status_code == 200

    async def test_no_key_at_all_is_401(self, shop):
        """As is a key without a token."""
        async with serving({"acme": shop}) as url, httpx.AsyncClient(base_url=f"{url}/vtex/acme") as nobody:
            path = "/api/oms/pvt/orders"
            assert (await nobody.get(path)).status_code == 401
            assert (await nobody.get(path, headers={"X-VTEX-API-AppKey": shop.app_key})).status_code == 401

    async def test_the_feed_is_configured_by_admins_only(self, shop, client):
        """Viewers read and commit."""
        shop.keyring.keys[shop.app_key].resources = {Resource.FEED_VIEW}

        assert (await client.post("/api/orders/feed/config", json={})).status_code == 403
        assert (await client.get("/api/orders/feed/config")).status_code == 404

    async def test_login_needs_no_role_and_tells_whose_a_key_is(self, shop, client):
        """So a wrong key is known before any data call."""
        shop.keyring.keys[shop.app_key].resources = set()
        body = {"appkey": shop.app_key, "apptoken": shop.app_token}
        token = (await client.post("/api/vtexid/apptoken/login", json=body)).json()["token"]
        told = (await client.post("/api/vtexid/credential/validate", json={"token": token})).json()

        assert (told["account"], told["user"], told["authStatus"]) == ("acme", shop.app_key, "Success")
        for bad in ({**body, "apptoken": "x"}, {}, []):
            answer = await client.post("/api/vtexid/apptoken/login", json=bad)
            assert (answer.status_code, answer.json()) == (401, {"authStatus": "WrongCredentials"})

    async def test_a_login_token_stands_for_its_key_for_a_day(self, shop, clock, client):
        """As a header or as a cookie."""
        body = {"appkey": shop.app_key, "apptoken": shop.app_token}
        token = (await client.post("/api/vtexid/apptoken/login", json=body)).json()["token"]
        for name in keys_of(shop):
            del client.headers[name]
        path = "/api/oms/pvt/orders"

        assert (await client.get(path, headers={"VtexIdclientAutCookie": token})).status_code == 200
        assert (await client.get(path, headers={"Cookie": f"VtexIdclientAutCookie={token}"})).status_code == 200
        clock.ticks += DAY + 1
        assert (await client.get(path, headers={"VtexIdclientAutCookie": token})).status_code == 401
        dead = await client.post("/api/vtexid/credential/validate", json={"token": token})
        assert dead.status_code == 401

    async def test_two_tokens_hold_during_a_rotation(self, shop, client):
        """And the old one does not after it."""
        key = shop.keyring.keys[shop.app_key]
        key.tokens.append("NEW")
        assert (await client.get("/api/oms/pvt/orders")).status_code == 200
        assert (await client.get("/api/oms/pvt/orders", headers={"X-VTEX-API-AppToken": "NEW"})).status_code == 200
        key.tokens.remove(shop.app_token)
        assert (await client.get("/api/oms/pvt/orders")).status_code == 401

    async def test_other_accounts_are_strangers(self, client):
        """An unknown account has no host."""
        assert (await client.get("http://vtex/vtex/other/api/oms/pvt/orders")).status_code == 404


class TestTriggers:
    async def test_a_change_calls_the_address_before_the_index_knows(self, shop, client, receiver):
        """All values as text; whoever hears it must read the document."""
        shop.hostility = Hostility(lag=60, lag_least=60)
        shop.add_trigger(Trigger("https://c.example/t", headers={"x-secret": "s"},
                                 body={"id": "{!id}", "email": "{!email}", "phone": "{!phone}"}))  # fmt: skip
        made = shop.put_customer({"email": "a@x.example"})
        await shop.courier.drain()
        url, headers, body = receiver.got[0]

        assert (url, headers) == ("https://c.example/t", {"x-secret": "s"})
        assert orjson.loads(body) == {"id": made, "email": "a@x.example", "phone": ""}
        assert (await client.get("/api/dataentities/CL/search")).json() == []

    async def test_rules_say_what_counts(self, shop, receiver):
        """Created, changed in some attribute, deleted; and never another entity."""
        for rule in ("created", "deleted"):
            shop.add_trigger(Trigger(f"https://c.example/{rule}", rule=rule))
        shop.add_trigger(Trigger("https://c.example/name", attributes=frozenset({"firstName"})))
        made = shop.put_customer({"email": "a@x.example"})
        shop.browse(made)
        shop.put_customer({"id": made, "firstName": "Ana"})
        shop.put_address({"userId": made})
        shop.delete_customer(made)
        await shop.courier.drain()

        assert [url.rpartition("/")[2] for url, _, _ in receiver.got] == ["created", "name", "deleted"]

    async def test_nobody_tries_again(self, shop, receiver, clock):
        """Version 1 has no retries."""
        receiver.status = 500
        shop.add_trigger(Trigger("https://c.example/t"))
        shop.put_customer({"email": "a@x.example"})
        await shop.courier.drain()
        clock.advance(1000)
        await shop.courier.drain()

        assert len(receiver.got) == 1


class TestTheWay:
    async def test_failures_have_their_statuses(self, shop, client):
        """And bodies that are no JSON."""
        for kind, statuses in (("timeouts", {408}), ("errors", {500, 502, 503, 504})):
            shop.hostility = Hostility(**{kind: 1})
            answers = [await client.get("/api/oms/pvt/orders") for _ in range(5)]
            assert {answer.status_code for answer in answers} <= statuses
            with pytest.raises(ValueError, match=r"Expecting|character"):
                answers[0].json()

    async def test_a_failed_write_may_have_been_done(self, shop, client):
        """So a commit that failed must be repeated, and one that was done twice does no harm."""
        shop.hostility = Hostility(errors=1, after_effect=1)
        config = {"filter": {"type": "FromWorkflow", "status": ["x"]},
                  "queue": {"visibilityTimeoutInSeconds": 30, "MessageRetentionPeriodInSeconds": 345600}}  # fmt: skip
        answer = await client.post("/api/orders/feed/config", json=config)

        assert (answer.status_code >= 500, len(shop.feeds)) == (True, 1)

    async def test_half_documents_are_complete_answers(self, shop, client):
        """Status 200, a body that does not parse."""
        fill(shop, 20)
        shop.hostility = Hostility(truncations=1)
        answer = await client.get("/api/dataentities/CL/search")

        assert answer.status_code == 200
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(answer.content)

    async def test_cut_connections_end_in_the_middle(self, shop):
        """The client sees that less came than was announced."""
        fill(shop, 20)
        shop.hostility = Hostility(cuts=1)
        async with serving({"acme": shop}) as url, httpx.AsyncClient(headers=keys_of(shop)) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"{url}/vtex/acme/api/dataentities/CL/search")
            shop.hostility = Hostility()
            assert (await client.get(f"{url}/vtex/acme/api/dataentities/CL/search")).status_code == 200

    async def test_answers_may_be_late(self, shop, client, monkeypatch):
        """By a bounded time, another each."""
        waits = []

        async def sleep(seconds):
            waits.append(seconds)

        monkeypatch.setattr("sandbox.vtex.faults.asyncio", SimpleNamespace(sleep=sleep))
        shop.hostility = Hostility(slow=1, slow_for=60)
        for _ in range(5):
            assert (await client.get("/api/oms/pvt/orders")).status_code == 200
        assert len(set(waits)) == 5
        assert all(0 <= seconds <= 60 for seconds in waits)


class TestBulk:
    def test_a_million_customers_need_neither_time_nor_memory(self):
        """Each is a function of its number, and found by id, profile id and e-mail."""
        shop = Shop("acme")
        fill(shop, 1_000_000, addresses=500_000)
        number = 765_432
        document = shop.customers.generated.document(number)

        assert len(shop.customers) == 1_000_000
        for name in ("id", "userId", "email"):
            assert shop.records.find("CL", name, document[name].upper()) == document
        assert shop.customers.get(document["id"].upper()).document == document
        assert shop.customers.get(f"{document['id'][:-1]}x") is None
        assert shop.addresses.generated.document(7)["userId"] == customer_id(shop, 7)

    async def test_twenty_thousand_documents_a_second_on_one_core(self, client, shop):
        """Scrolled over HTTP with sixteen fields each; the client's own work is in the time."""
        fill(shop, 1_000_000)
        fields = ("id,userId,email,firstName,lastName,homePhone,phone,cellPhone,document,birthDate,gender,"
                  "localeDefault,isNewsletterOptIn,createdIn,updatedIn,businessPhone")  # fmt: skip
        path = "/api/dataentities/CL/scroll"
        token = (await client.get(path, params={"_size": 1000, "_fields": fields})).headers["X-VTEX-MD-TOKEN"]
        begun = time.process_time()
        for _ in range(20):
            answer = await client.get(path, params={"_token": token})
            assert answer.status_code == 200

        assert time.process_time() - begun < 1

    def test_a_changed_one_is_like_any_other(self):
        """It is stored from then on, and counted once."""
        shop = Shop("acme")
        fill(shop, 10)
        known = customer_id(shop, 4)
        shop.put_customer({"id": known.upper(), "firstName": "Ana"})
        shop.delete_customer(customer_id(shop, 5))

        assert len(shop.customers) == 9
        assert len(list(shop.customers.all())) == 9
        assert shop.customers.get(known).document["firstName"] == "Ana"
        assert shop.customers.get(known).document["id"] == known

    def test_only_an_empty_shop_is_filled(self):
        """Generated documents cannot be mixed under others afterwards."""
        shop = Shop("acme")
        shop.put_customer({"email": "a@x.example"})
        with pytest.raises(ValueError, match="documents already"):
            fill(shop, 10)
