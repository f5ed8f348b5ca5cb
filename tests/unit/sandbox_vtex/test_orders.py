"""Orders from short descriptions and whole documents, the list, feed, hook, conversation, and what happens to them."""

import httpx
import orjson
import pytest

from sandbox.vtex.clock import DAY, iso
from sandbox.vtex.filters import BadFilter, Filter
from sandbox.vtex.hostility import Hostility

ORDERS = "/api/oms/pvt/orders"
FEED = "/api/orders/feed"
HOOK = "/api/orders/hook/config"
STATUSES = ["payment-pending", "payment-approved", "invoiced", "canceled"]


def feed_config(visibility: int = 240, retention: int = 345_600, **filters) -> dict:
    """Return a feed configuration."""
    wanted = filters or {"type": "FromWorkflow", "status": STATUSES}
    queue = {"visibilityTimeoutInSeconds": visibility, "MessageRetentionPeriodInSeconds": retention}
    return {"filter": wanted, "queue": queue}


async def read(client, most: int = 10) -> list[dict]:
    """Return the events that the feed gives now."""
    answer = await client.get(FEED, params={"maxlot": most})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def order(client, order_id: str) -> dict:
    """Return an order."""
    return (await client.get(f"{ORDERS}/{order_id}")).json()


class TestPlacing:
    async def test_a_short_description_becomes_a_whole_order(self, shop, client):
        """In hundredths, with totals that add up, and an e-mail that says nothing."""
        buyer = shop.put_customer({"email": "ana@x.example", "firstName": "Ana", "homePhone": "+5511987654321"})
        items = [{"sku": "7", "price": 4990, "quantity": 2}]
        placed = shop.place_order({"customer": buyer, "items": items, "shipping": 1000, "discount": 500,
                                   "marketing": {"utmSource": "whatsapp", "utmCampaign": "maio"}})  # fmt: skip
        document = await order(client, placed)

        assert document["value"] == sum(total["value"] for total in document["totals"]) == 10_480
        assert document["clientProfileData"]["email"].endswith("@ct.vtex.com.br")
        assert document["clientProfileData"]["phone"] == "+5511987654321"
        assert document["clientProfileData"]["userProfileId"] == shop.customers.get(buyer).document["userId"]
        assert document["marketingData"]["utmCampaign"] == "maio"
        assert document["status"] == "payment-pending"

    async def test_sellers_make_parts_of_one_purchase(self, shop, client):
        """`-01`, `-02`, one orderGroup, one cart; values add up."""
        items = [{"sku": "1", "price": 1000}, {"sku": "2", "price": 2000, "seller": "moda"}, {"sku": "3", "price": 500}]
        placed = shop.place_order({"email": "a@x.example", "items": items})
        group = (await order(client, placed))["orderGroup"]
        parts = (await client.get(f"{ORDERS}/order-group/{group}")).json()

        assert [part["orderId"] for part in parts] == [f"{group}-01", f"{group}-02"]
        assert [part["value"] for part in parts] == [1500, 2000]
        assert [part["sellers"][0]["id"] for part in parts] == ["1", "moda"]

    async def test_given_fields_win_and_objects_are_merged(self, shop, client):
        """A whole document of somebody else's stays as it is."""
        given = {
            "orderId": "900-02", "orderGroup": "900", "value": 77, "creationDate": "2026-01-01T00:00:00.0000000+00:00",
            "items": [{"id": "9", "seller": "x"}, {"id": "8", "seller": "y"}], "clientProfileData": {"phone": "1"},
        }  # fmt: skip
        shop.place_order(given)
        document = await order(client, "900-02")

        assert (document["value"], document["orderGroup"], len(document["items"])) == (77, "900", 2)
        assert document["clientProfileData"]["phone"] == "1"
        assert document["clientProfileData"]["isCorporate"] is False
        assert document["creationDate"].startswith("2026-01-01")

    @pytest.mark.parametrize(
        ("mask", "shown"), [("soft", "ana@x.example-"), ("none", "ana@x.example"), ("protected", "a**@x.e******")]
    )
    async def test_soft_masks_keep_the_address_in_front(self, shop, client, mask, shown):
        """And the conversation knows the real one whatever the order shows."""
        placed = shop.place_order({"email": "ana@x.example", "mask": mask})
        mails = (await client.get(f"{ORDERS}/{placed}/conversation-message")).json()

        assert (await order(client, placed))["clientProfileData"]["email"].startswith(shown)
        assert [(to["email"], to["role"]) for to in mails[0]["to"]] == [("ana@x.example", "Customer")]

    async def test_unknown_orders_are_not_found(self, client):
        """With the order system's body."""
        answer = await client.get(f"{ORDERS}/1-01")

        assert answer.status_code == 404
        assert set(answer.json()["error"]) == {"code", "message", "exception"}
        assert (await client.get(f"{ORDERS}/order-group/1")).status_code == 404
        assert (await client.get(f"{ORDERS}/1-01/conversation-message")).status_code == 404


class TestLife:
    async def test_invoice_return_amendment_and_cancellation(self, shop, client, clock):
        """A refund is an Input package with a restitution, and changes no status."""
        placed = shop.place_order({"email": "a@x.example", "items": [{"price": 1000}]})
        shop.approve_order(placed)
        shop.invoice_order(placed)
        clock.advance(5)
        shop.return_order(placed, 300)
        shop.amend_order(placed, discount=100, increment=20)
        document = await order(client, placed)
        packages = document["packageAttachment"]["packages"]

        assert [package["type"] for package in packages] == ["Output", "Input"]
        assert packages[1]["restitutions"]["Refund"]["value"] == 300
        assert document["changesAttachment"]["changesData"][0]["discountValue"] == 100
        assert (document["status"], document["value"]) == ("invoiced", 920)
        assert document["lastChange"] == iso(clock.ticks, "+00:00")
        shop.cancel_order(placed, "Não serviu", "SellerNotification")
        cancelled = (await order(client, placed))["cancellationData"]
        assert (cancelled["Reason"], cancelled["RequestedBySellerNotification"]) == ("Não serviu", True)

    async def test_the_reason_of_a_cancellation_may_come_later(self, shop, client, clock):
        """Seconds after the status, without another event."""
        shop.hostility = Hostility(late_reason=3)
        placed = shop.place_order({"email": "a@x.example"})
        shop.cancel_order(placed)
        assert (await order(client, placed))["cancellationData"] is None
        clock.advance(4)
        assert (await order(client, placed))["cancellationData"]["RequestedByUser"]

    async def test_the_platform_wipes_buyers_garbles_orders_and_doubles_returns(self, shop, client):
        """Blanks in CL, asterisks in the order, one return invoice twice, a status that is null for one read."""
        buyer = shop.put_customer({"email": "a@x.example", "firstName": "Ana", "homePhone": "+5511987654321"})
        shop.hostility = Hostility(wipes=1, asterisks=1, double_returns=1, null_status=1)
        placed = shop.place_order({"customer": buyer})
        shop.return_order(placed, 10)
        document = await order(client, placed)

        assert shop.customers.get(buyer).document["firstName"] is None
        assert shop.customers.get(buyer).document["email"] == "a@x.example"
        assert document["clientProfileData"]["phone"] == "***"
        assert len({package["invoiceNumber"] for package in document["packageAttachment"]["packages"]}) == 1
        assert len(document["packageAttachment"]["packages"]) == 2
        assert document["status"] is None
        shop.hostility = Hostility()
        assert (await order(client, placed))["status"] == "payment-pending"


class TestList:
    async def test_windows_of_creation_are_paged(self, shop, client, clock):
        """Both ends belong to the window."""
        start = clock.ticks
        for _ in range(12):
            shop.place_order({"email": "a@x.example"})
            clock.advance(60)
        span = f"creationDate:[{iso(start + 60 * 10**7)} TO {iso(start + 600 * 10**7)}]"
        query = {"f_creationDate": span, "orderBy": "creationDate,asc", "per_page": 4}
        answers = [(await client.get(ORDERS, params={**query, "page": page})).json() for page in (1, 2, 3, 4)]

        assert answers[0]["paging"] == {"total": 10, "pages": 3, "currentPage": 1, "perPage": 4}
        assert [len(answer["list"]) for answer in answers] == [4, 4, 2, 0]
        dates = [row["creationDate"] for answer in answers for row in answer["list"]]
        assert dates == sorted(dates)

    @pytest.mark.parametrize(
        "query",
        [
            {"page": 31}, {"per_page": 101}, {"page": 0}, {"f_creationDate": "2026"},
            {"f_creationDate": "creationDate:[x TO y]"}, {"orderBy": "lastChange,asc"},
        ],
    )  # fmt: skip
    async def test_limits_and_unknown_orders_are_refused(self, client, query):
        """Thirty pages of a hundred; there is no order by last change."""
        assert (await client.get(ORDERS, params=query)).status_code == 400

    async def test_filters(self, shop, client):
        """By status, source of the visit, returns, and words."""
        first = shop.place_order({"email": "a@x.example", "marketing": {"utmSource": "sms"}, "firstName": "Zita"})
        second = shop.place_order({"email": "a@x.example"})
        shop.invoice_order(second)
        shop.return_order(second, 5)

        async def found(**query) -> list[str]:
            return [row["orderId"] for row in (await client.get(ORDERS, params=query)).json()["list"]]

        assert await found(f_status="invoiced,canceled") == [second]
        assert await found(f_UtmSource="sms") == [first]
        assert await found(f_hasInputInvoice="true") == [second]
        assert await found(q="zita") == [first]

    async def test_it_is_behind(self, shop, client, clock):
        """Some minutes, statuses included, while the order itself is not."""
        shop.hostility = Hostility(list_lag=240)
        placed = shop.place_order({"email": "a@x.example"})
        assert (await client.get(ORDERS)).json()["list"] == []
        clock.advance(241)
        shop.approve_order(placed)
        assert (await client.get(ORDERS)).json()["list"][0]["status"] == "payment-pending"
        assert (await order(client, placed))["status"] == "payment-approved"


class TestFeed:
    async def test_without_a_configuration_there_is_none(self, client):
        """404 on everything but making one."""
        answers = [await client.get(FEED, params={"maxlot": 1}), await client.get(f"{FEED}/config"),
                   await client.delete(f"{FEED}/config"), await client.post(FEED, json={"handles": ["x"]})]  # fmt: skip

        assert [answer.status_code for answer in answers] == [404] * 4

    async def test_events_come_back_until_they_are_committed(self, shop, client, clock):
        """Each time with another handle; the configuration tells how many wait for how long."""
        await client.post(f"{FEED}/config", json=feed_config(visibility=30))
        placed = shop.place_order({"email": "a@x.example"})
        first = await read(client)
        assert (first[0]["orderId"], first[0]["state"], await read(client)) == (placed, "payment-pending", [])
        clock.advance(31)
        told = (await client.get(f"{FEED}/config")).json()
        second = await read(client)

        assert (told["quantity"], told["approximateAgeOfOldestMessageInSeconds"]) == (1, 31.0)
        assert second[0]["eventId"] == first[0]["eventId"]
        assert second[0]["handle"] != first[0]["handle"]
        await client.post(FEED, json={"handles": [first[0]["handle"]]})
        clock.advance(31)
        third = await read(client)
        assert len(third) == 1, "a former handle commits nothing"
        assert (await client.post(FEED, json={"handles": [third[0]["handle"]]})).status_code == 200
        clock.advance(31)
        assert await read(client) == []

    async def test_only_named_statuses_pass_and_only_when_they_change(self, shop, client):
        """A return changes no status, so nothing is heard of it."""
        await client.post(f"{FEED}/config", json=feed_config(type="FromWorkflow", status=["invoiced"]))
        placed = shop.place_order({"email": "a@x.example"})
        shop.invoice_order(placed)
        shop.return_order(placed, 5)

        assert [(event["state"], event["lastState"]) for event in await read(client)] == [
            ("invoiced", "payment-pending")
        ]

    async def test_returns_are_heard_by_an_expression(self, shop, client):
        """Once for ever, unless single fire is disabled."""
        expression = "$count(packageAttachment.packages.restitutions.Refund.value) > 0"
        wanted = {"type": "FromOrders", "expression": expression, "disableSingleFire": True}
        await client.post(f"{FEED}/config", json=feed_config(**wanted))
        placed = shop.place_order({"email": "a@x.example"})
        shop.invoice_order(placed)
        shop.return_order(placed, 5)
        shop.return_order(placed, 5)
        assert len(await read(client)) == 2
        await client.post(f"{FEED}/config", json=feed_config(**wanted | {"disableSingleFire": False}))
        shop.return_order(placed, 5)
        shop.return_order(placed, 5)
        assert len(await read(client)) == 1

    async def test_filter_types_do_not_mix(self, client):
        """409."""
        await client.post(f"{FEED}/config", json=feed_config())
        other = feed_config(type="FromOrders", expression='status = "invoiced"')

        assert (await client.post(f"{FEED}/config", json=other)).status_code == 409

    async def test_a_changed_configuration_keeps_what_waits_and_a_new_one_starts_empty(self, shop, client):
        """A feed holds only what changed after it was made."""
        shop.place_order({"email": "a@x.example"})
        await client.post(f"{FEED}/config", json=feed_config())
        assert await read(client) == []
        shop.place_order({"email": "a@x.example"})
        await client.post(f"{FEED}/config", json=feed_config(visibility=10))
        assert len(await read(client)) == 1
        await client.delete(f"{FEED}/config")
        await client.post(f"{FEED}/config", json=feed_config())
        assert await read(client) == []

    async def test_a_quiet_feed_loses_its_configuration(self, shop, client, clock):
        """No event for as long as events are kept."""
        await client.post(f"{FEED}/config", json=feed_config())
        clock.ticks += 3 * DAY
        assert await read(client) == []
        clock.ticks += 2 * DAY
        assert (await client.get(FEED, params={"maxlot": 1})).status_code == 404

    async def test_old_events_are_dropped(self, shop, client, clock):
        """After the retention."""
        await client.post(f"{FEED}/config", json=feed_config())
        shop.place_order({"email": "a@x.example"})
        clock.ticks += 3 * DAY
        second = shop.place_order({"email": "a@x.example"})
        clock.ticks += 2 * DAY

        assert [event["orderId"] for event in await read(client)] == [second]

    async def test_duplicates_disorder_and_removal(self, shop, client):
        """At least once, in no order, and sometimes not at all."""
        await client.post(f"{FEED}/config", json=feed_config())
        shop.hostility = Hostility(feed_duplicates=1, feed_disorder=1)
        placed = [shop.place_order({"email": "a@x.example"}) for _ in range(5)]
        seen = [event["orderId"] for event in await read(client)]

        assert sorted(seen) == sorted(placed * 2)
        assert seen != sorted(seen)
        shop.hostility = Hostility(feed_removed=1)
        assert (await client.get(FEED, params={"maxlot": 10})).status_code == 404

    async def test_each_key_has_a_feed_of_its_own(self, shop, client):
        """What one commits, the other still has."""
        other = shop.keyring.add("vtexappkey-acme-OTHER1", "token")
        await client.post(f"{FEED}/config", json=feed_config())
        headers = {"X-VTEX-API-AppKey": other.app_key, "X-VTEX-API-AppToken": "token"}
        await client.post(f"{FEED}/config", json=feed_config(), headers=headers)
        shop.place_order({"email": "a@x.example"})
        mine = await read(client)
        await client.post(FEED, json={"handles": [event["handle"] for event in mine]})
        theirs = (await client.get(FEED, params={"maxlot": 10}, headers=headers)).json()

        assert (len(mine), len(theirs)) == (1, 1)

    @pytest.mark.parametrize(
        "body",
        [
            {}, [], {"filter": {"type": "FromWorkflow"}, "queue": {}}, feed_config(retention=60),
            feed_config(visibility=50_000), feed_config(type="FromOrders", expression="$sum(x)"),
        ],
    )  # fmt: skip
    async def test_bad_configurations_are_refused(self, client, body):
        """400, and there is no feed."""
        assert (await client.post(f"{FEED}/config", json=body)).status_code == 400
        assert (await client.get(f"{FEED}/config")).status_code == 404

    @pytest.mark.parametrize("most", ["0", "11", "x", ""])
    async def test_lots_are_of_ten_at_most(self, client, most):
        """And `maxlot` is required."""
        await client.post(f"{FEED}/config", json=feed_config())
        assert (await client.get(FEED, params={"maxlot": most})).status_code == 400


class TestFilters:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ('status = "invoiced"', True),
            ('status = "invoiced" and value > 10', True),
            ('status = "canceled" or items.seller = "1"', True),
            ('status != "invoiced"', False),
            ("value > 1000", False),
            ("$count(items) >= 2", False),
            ("missing.path = 1", False),
            ("isCompleted = true", True),
        ],
    )
    def test_expressions(self, expression, expected):
        """Lists are walked through, as JSONata does."""
        order = {"status": "invoiced", "value": 50, "items": [{"seller": "1"}], "isCompleted": True}
        wanted = Filter.read({"type": "FromOrders", "expression": expression})

        assert wanted.wants(order, moved=False) == expected

    def test_what_this_stand_in_cannot_read_is_refused(self):
        """Rather than let through."""
        with pytest.raises(BadFilter):
            Filter.read({"type": "FromOrders", "expression": "$sum(items.price) ~> $string"})


TARGET = {"url": "https://collector.example/hook", "headers": {"key": "secret"}}


class TestHook:
    def config(self) -> dict:
        return {"filter": {"type": "FromWorkflow", "status": STATUSES}, "hook": TARGET}

    async def test_the_address_is_pinged_and_must_answer_200(self, client, receiver):
        """Anything else refuses the configuration."""
        receiver.status = 500
        assert (await client.post(HOOK, json=self.config())).status_code == 400
        receiver.status = 200
        assert (await client.post(HOOK, json=self.config())).status_code == 200
        assert orjson.loads(receiver.got[-1][2]) == {"hookConfig": "ping"}
        assert receiver.got[-1][1] == {"key": "secret"}
        assert (await client.get(HOOK)).json()["hook"] == TARGET

    async def test_changes_are_posted_with_the_configured_headers(self, shop, client, receiver):
        """They are the only authentication."""
        await client.post(HOOK, json=self.config())
        placed = shop.place_order({"email": "a@x.example"})
        await shop.courier.drain()
        url, headers, body = receiver.got[-1]
        notice = orjson.loads(body)

        assert (url, headers) == (TARGET["url"], {"key": "secret"})
        assert (notice["OrderId"], notice["State"]) == (placed, "payment-pending")
        assert notice["Origin"] == {"Account": "acme", "Key": shop.app_key}

    async def test_failures_are_tried_again_at_growing_distances(self, shop, client, receiver, clock):
        """Until one is answered 200."""
        await client.post(HOOK, json=self.config())
        receiver.status = 503
        shop.place_order({"email": "a@x.example"})
        await shop.courier.drain()
        for seconds, tries in ((0.9, 2), (0.2, 3), (1.9, 3), (0.2, 4)):
            clock.advance(seconds)
            await shop.courier.drain()
            assert len(receiver.got) == tries
        receiver.status = 200
        clock.advance(4.1)
        await shop.courier.drain()
        clock.advance(100)
        await shop.courier.drain()
        assert len(receiver.got) == 5
        assert shop.courier.waiting == 0

    async def test_three_quiet_days_remove_it(self, client, clock):
        """As does asking for it."""
        await client.post(HOOK, json=self.config())
        clock.ticks += 3 * DAY + 1
        assert (await client.get(HOOK)).status_code == 404
        await client.post(HOOK, json=self.config())
        assert (await client.delete(HOOK)).status_code == 200
        assert (await client.delete(HOOK)).status_code == 404

    async def test_notifications_may_be_lost(self, shop, client, receiver):
        """Which is why a hook is a hint."""
        await client.post(HOOK, json=self.config())
        shop.hostility = Hostility(hook_losses=1)
        shop.place_order({"email": "a@x.example"})
        await shop.courier.drain()

        assert len(receiver.got) == 1


async def test_bodies_that_are_no_json_are_refused(client: httpx.AsyncClient):
    """400 with the order system's body."""
    answer = await client.post(f"{FEED}/config", content=b"{")
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
