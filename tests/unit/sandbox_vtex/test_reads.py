"""Search, scroll and documents over HTTP, gentle and hostile."""

import pytest

from sandbox.vtex.budget import Budget
from sandbox.vtex.bulk import customer_id, fill
from sandbox.vtex.clock import iso
from sandbox.vtex.hostility import Dice, Hostility, harsh

SEARCH = "/api/dataentities/CL/search"
SCROLL = "/api/dataentities/CL/scroll"
DOCUMENT = "/api/dataentities/CL/documents/"


def pages(first: int, last: int) -> dict[str, str]:
    """Return the header that asks for a page."""
    return {"REST-Range": f"resources={first}-{last}"}


async def ids(client, where: str | None = None, **params) -> list[str]:
    """Read a search page by page until a short one."""
    found: list[str] = []
    while True:
        query = {"_fields": "id", **params} | ({"_where": where} if where else {})
        answer = await client.get(SEARCH, params=query, headers=pages(len(found), len(found) + 100))
        assert answer.status_code == 200, answer.text
        page = [row["id"] for row in answer.json()]
        found += page
        if len(page) < 100:
            return found


async def scrolled(client, **params) -> list[list[dict]]:
    """Read a scroll to its end."""
    answer = await client.get(SCROLL, params=params)
    found = []
    while answer.json():
        found.append(answer.json())
        answer = await client.get(SCROLL, params={"_token": answer.headers["X-VTEX-MD-TOKEN"]})
    return found


class TestSearch:
    async def test_without_a_range_only_fifteen_rows_come(self, shop, client):
        """And no error says so."""
        fill(shop, 76)
        answer = await client.get(SEARCH, params={"_fields": "id"})

        assert len(answer.json()) == 15
        assert answer.headers["REST-Content-Range"] == "resources 0-15/76"

    async def test_pages_of_a_window_hold_every_document_once(self, shop, client):
        """`y` of `resources=x-y` is the last index plus one."""
        fill(shop, 250)

        assert len(set(await ids(client, _sort="createdIn ASC"))) == 250

    @pytest.mark.parametrize("header", ["resources=0-101", "resources=9950-10001", "resources=5-1", "0-10"])
    async def test_too_long_pages_and_windows_are_refused(self, shop, client, header):
        """100 documents a page, 10,000 in all."""
        assert (await client.get(SEARCH, headers={"REST-Range": header})).status_code == 400

    @pytest.mark.parametrize("query", [{"_where": "rclastcart=1"}, {"_where": "email"}, {"_sort": "nothing ASC"},
                                       {"_sort": "createdIn ASC, email ASC"}])  # fmt: skip
    async def test_bad_conditions_are_refused(self, shop, client, query):
        """With a message of Master Data."""
        answer = await client.get(SEARCH, params=query)

        assert answer.status_code == 400
        assert answer.json()["Message"].startswith("Bad Request")

    async def test_only_asked_fields_come_and_missing_values_are_null(self, shop, client):
        """Without `_fields` there are four."""
        shop.put_customer({"email": "a@x.example"})

        assert (await client.get(SEARCH, params={"_fields": "email,phone,nosuch"})).json() == [
            {"email": "a@x.example", "phone": None}
        ]
        assert set((await client.get(SEARCH)).json()[0]) == {"id", "accountId", "accountName", "dataEntityId"}

    async def test_a_plus_must_be_encoded(self, shop, client):
        """A bare `+` is a space, and the phone is not found."""
        shop.put_customer({"email": "a@x.example", "homePhone": "+5511987654321"})

        assert (await client.get(f"{SEARCH}?_where=homePhone=+5511987654321&_fields=id")).json() == []
        assert len((await client.get(f"{SEARCH}?_where=homePhone=%2B5511987654321&_fields=id")).json()) == 1

    async def test_private_fields_are_forbidden_by_name_and_by_all(self, shop, client):
        """So fields must be named."""
        shop.private_fields = frozenset({"document"})

        for fields in ("id,document", "_all"):
            answer = await client.get(SEARCH, params={"_fields": fields})
            assert (answer.status_code, answer.json()) == (403, {"Message": "Cannot read private fields"})
        assert (await client.get(SEARCH, params={"_fields": "id"})).status_code == 200

    async def test_wildcards_in_volume_block_the_account(self, shop, client):
        """503 on search, 429 on scroll."""
        shop.hostility = Hostility(wildcards_allowed=1)
        query = {"_where": "email=*x*"}

        assert (await client.get(SEARCH, params=query)).status_code == 200
        assert (await client.get(SEARCH, params=query)).status_code == 503
        assert (await client.get(SCROLL, params=query)).status_code == 429

    async def test_addresses_are_found_by_their_customer(self, shop, client):
        """`AD.userId` is `CL.id`, generated or not."""
        fill(shop, 20, addresses=10)
        known = customer_id(shop, 4)
        shop.put_address({"userId": known, "addressName": "trabalho", "city": "Recife"})
        shop.put_address({"userId": known, "addressName": "trabalho", "city": "Olinda"})
        answer = await client.get(
            "/api/dataentities/AD/search", params={"_fields": "city", "_where": f"userId={known}"}
        )

        assert len(answer.json()) == 2
        assert {"city": "Olinda"} in answer.json()


class TestScroll:
    async def test_every_document_comes_once_and_an_empty_page_ends_it(self, shop, client):
        """The size is fixed by the first call; the place is free again."""
        fill(shop, 45)
        found = await scrolled(client, _size=20, _fields="id")

        assert [len(page) for page in found] == [20, 20, 5]
        assert len({row["id"] for page in found for row in page}) == 45
        assert shop.scrolls.open == {}

    async def test_it_is_a_snapshot(self, shop, client):
        """Changes made while reading show in the next scroll."""
        fill(shop, 30)
        first = await client.get(SCROLL, params={"_size": 10, "_fields": "firstName"})
        shop.put_customer({"id": customer_id(shop, 25), "firstName": "Depois"})
        token, rest = first.headers["X-VTEX-MD-TOKEN"], []
        for _ in range(2):
            rest += (await client.get(SCROLL, params={"_token": token})).json()

        assert {"firstName": "Depois"} not in rest
        assert {"firstName": "Depois"} in [row for page in await scrolled(client, _fields="firstName") for row in page]

    async def test_a_page_is_handed_out_once(self, shop, client):
        """Whoever loses one must begin again: the same token gives the next page."""
        fill(shop, 30)
        first = await client.get(SCROLL, params={"_size": 10, "_fields": "id"})
        again = await client.get(SCROLL, params={"_token": first.headers["X-VTEX-MD-TOKEN"]})

        assert {row["id"] for row in first.json()}.isdisjoint(row["id"] for row in again.json())

    async def test_tokens_die_after_twenty_minutes_without_use(self, shop, client, clock):
        """Each use renews."""
        fill(shop, 300)
        token = (await client.get(SCROLL, params={"_size": 100})).headers["X-VTEX-MD-TOKEN"]
        clock.advance(19 * 60)
        assert (await client.get(SCROLL, params={"_token": token})).status_code == 200
        clock.advance(21 * 60)
        answer = await client.get(SCROLL, params={"_token": token})

        assert answer.status_code == 400
        assert answer.json() == {"Message": f"Operation not found for this token: '{token}'"}

    async def test_the_eleventh_is_refused_whoever_holds_the_ten(self, shop, client, clock):
        """An abandoned one holds its place for twenty minutes."""
        fill(shop, 30)
        shop.hostility = Hostility(scrolls_taken=8)
        answers = [await client.get(SCROLL, params={"_size": 10}) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 400]
        assert answers[2].json() == {"Message": "Maximum simultaneous scrolls rate exceeded (10)"}
        clock.advance(21 * 60)
        assert (await client.get(SCROLL, params={"_size": 10})).status_code == 200

    async def test_more_than_a_thousand_a_page_are_refused(self, client):
        """The page is bounded."""
        assert (await client.get(SCROLL, params={"_size": 1001})).status_code == 400

    async def test_a_slice_holds_what_the_condition_takes(self, shop, client):
        """The total says how many."""
        fill(shop, 100, days=100)
        middle = iso(shop.customers.generated.created(40))
        answer = await client.get(SCROLL, params={"_size": 1000, "_where": f"createdIn < {middle}", "_fields": "id"})

        assert (len(answer.json()), answer.headers["REST-Content-Total"]) == (40, "40")


class TestDocuments:
    async def test_reading_is_strongly_consistent_and_heeds_no_case(self, shop, client):
        """Search lags an hour behind, the document does not."""
        shop.hostility = Hostility(lag=3600, lag_least=3600)
        made = shop.put_customer({"email": "a@x.example"})

        assert (await client.get(DOCUMENT + made.upper(), params={"_fields": "email"})).json() == {
            "email": "a@x.example"
        }
        assert await ids(client) == []

    async def test_deleted_documents_are_gone_without_a_trace(self, shop, client, clock):
        """404 at once; search still shows it until the index hears of it."""
        made = shop.put_customer({"email": "a@x.example"})
        await ids(client)
        shop.hostility = Hostility(lag=60, lag_least=60)
        shop.delete_customer(made)

        assert (await client.get(DOCUMENT + made)).status_code == 404
        assert await ids(client) == [made]
        clock.advance(61)
        assert await ids(client) == []

    async def test_updated_is_null_until_the_first_change(self, shop, client, clock):
        """And `lastInteractionIn` equals `createdIn` until then."""
        made = shop.put_customer({"email": "a@x.example"})
        fields = {"_fields": "createdIn,updatedIn,lastInteractionIn"}
        before = (await client.get(DOCUMENT + made, params=fields)).json()
        clock.advance(5)
        shop.put_customer({"id": made, "firstName": "Ana"})
        after = (await client.get(DOCUMENT + made, params=fields)).json()

        assert before["updatedIn"] is None
        assert before["lastInteractionIn"] == before["createdIn"]
        assert after["updatedIn"] == iso(clock.ticks)
        assert after["createdIn"] == before["createdIn"]

    async def test_versions_tell_what_a_change_was(self, shop, client, clock):
        """Newest first, each with its document."""
        made = shop.put_customer({"email": "a@x.example", "firstName": "Ana"})
        clock.advance(5)
        shop.put_customer({"id": made, "firstName": "Anna"})
        versions = (await client.get(f"{DOCUMENT}{made}/versions")).json()
        oldest = (await client.get(f"{DOCUMENT}{made}/versions/{versions[-1]['id']}")).json()

        assert len(versions) == 2
        assert oldest["document"]["firstName"] == "Ana"
        assert (await client.get(f"{DOCUMENT}{made}/versions/none")).status_code == 404


class TestHostility:
    async def test_lag_is_bounded_and_each_change_draws_its_own(self, shop, client, clock):
        """Up to an hour."""
        shop.hostility = Hostility(lag=3600)
        for number in range(40):
            shop.put_customer({"email": f"{number}@x.example"})
        clock.advance(1800)
        half = len(await ids(client))
        clock.advance(1801)

        assert 5 < half < 35
        assert len(await ids(client)) == 40

    async def test_some_documents_are_never_indexed(self, shop, client, clock):
        """They are reached by id only, also after they change."""
        shop.hostility = Hostility(never_indexed=1)
        made = shop.put_customer({"email": "a@x.example"})
        shop.hostility = Hostility()
        shop.put_customer({"id": made, "firstName": "Ana"})
        clock.advance(10**6)

        assert await ids(client) == []
        assert (await client.get(DOCUMENT + made)).status_code == 200

    async def test_ghosts_repeat_a_document_under_its_id_in_capitals(self, shop, client):
        """Both spellings read the same document."""
        shop.hostility = Hostility(ghosts=1)
        made = shop.put_customer({"email": "a@x.example"})

        assert sorted(await ids(client)) == sorted([made, made.upper()])
        shop.delete_customer(made)
        assert await ids(client) == []

    async def test_equal_timestamps_come_in_any_order(self, shop, client):
        """A sort on one field cannot tell them apart."""
        shop.hostility = Hostility(coarse=60, restless_ties=True)
        for number in range(20):
            shop.put_customer({"email": f"{number}@x.example"})
        orders = {tuple(await ids(client, _sort="createdIn ASC")) for _ in range(12)}

        assert len(orders) > 1
        assert len({tuple(sorted(order)) for order in orders}) == 1

    async def test_pages_shift_while_reading(self, shop, client):
        """An earlier row leaves the window, so a row between two pages is not seen at all."""
        fill(shop, 250)
        window = f"createdIn > 2000-01-01 AND updatedIn < {iso(shop.clock())}"
        every = len(await ids(client, window, _sort="updatedIn ASC"))
        shop.hostility = Hostility(page_shifts=1)

        assert len(set(await ids(client, window, _sort="updatedIn ASC"))) < every

    async def test_sort_ignored_false_empties_wrong_totals_lost_headers(self, shop, client):
        """All of them with status 200."""
        fill(shop, 60)
        query = {"params": {"_fields": "id", "_sort": "createdIn ASC"}, "headers": pages(0, 100)}
        right = (await client.get(SEARCH, **query)).json()
        shop.hostility = Hostility(sort_ignored=1)
        mixed = (await client.get(SEARCH, **query)).json()
        shop.hostility = Hostility(false_empties=1)
        empty = await client.get(SEARCH, **query)
        shop.hostility = Hostility(wrong_totals=1)
        wrong = await client.get(SEARCH, **query)
        shop.hostility = Hostility(headers_lost=1)
        bare = await client.get(SEARCH, **query)

        assert mixed != right
        assert sorted(map(str, mixed)) == sorted(map(str, right))
        assert (empty.status_code, empty.json()) == (200, [])
        assert int(wrong.headers["REST-Content-Range"].split("/")[1]) < 60
        assert "REST-Content-Range" not in bare.headers

    async def test_scroll_tokens_are_lost_and_changed(self, shop, client):
        """Take the token from every answer."""
        fill(shop, 30)
        shop.hostility = Hostility(tokens_change=1)
        first = await client.get(SCROLL, params={"_size": 10})
        second = await client.get(SCROLL, params={"_token": first.headers["X-VTEX-MD-TOKEN"]})
        shop.hostility = Hostility(scrolls_lost=1)
        third = await client.get(SCROLL, params={"_token": second.headers["X-VTEX-MD-TOKEN"]})

        assert first.headers["X-VTEX-MD-TOKEN"] != second.headers["X-VTEX-MD-TOKEN"]
        assert third.status_code == 400
        assert "Operation not found" in third.json()["Message"]

    async def test_unfiltered_searches_of_huge_entities_time_out(self, shop, client):
        """VTEX counts everything; a filter helps."""
        fill(shop, 50)
        shop.hostility = Hostility(count_limit=40)

        assert (await client.get(SEARCH)).status_code == 408
        assert (await client.get(SEARCH, params={"_where": "updatedIn is null"})).status_code == 200

    async def test_calls_above_the_budget_are_refused_and_recorded(self, shop, client):
        """With `Retry-After`, whatever they ask for."""
        now = [100.0]
        shop.budget.rate, shop.budget.burst, shop.budget.clock = 2.0, 2, lambda: now[0]
        answers = [await client.get(SEARCH) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429]
        assert answers[-1].headers["Retry-After"] == "1"
        assert (shop.budget.refused, len(shop.budget.over)) == (3, 3)
        now[0] += 0.5
        assert (await client.get(SEARCH)).status_code == 200

    async def test_storms_refuse_everything_for_a_while(self, shop, client):
        """And end."""
        now = [100.0]
        shop.budget.clock = lambda: now[0]
        shop.hostility = Hostility(storms=1, storm_length=5, retry_after=7)
        assert (await client.get(SEARCH)).headers["Retry-After"] == "7"
        shop.hostility = Hostility(retry_after=None)
        inside = await client.get(SEARCH)
        now[0] += 6

        assert (inside.status_code, "Retry-After" in inside.headers) == (429, False)
        assert (await client.get(SEARCH)).status_code == 200

    async def test_the_same_seed_and_requests_give_the_same_faults(self, clock):
        """A failing history can be played again."""

        def history(seed: int) -> list[bool]:
            dice = Dice(seed)
            return [dice.falls("error", 0.3) for _ in range(50)]

        assert history(3) == history(3)
        assert history(3) != history(4)
        assert harsh(5, lag=1).lag == 1


class TestBudget:
    def test_on_the_long_run_the_rate_holds_after_a_burst(self):
        """A client that paces itself by the same rate is never refused."""
        now = [0.0]
        budget = Budget(rate=10, burst=5, clock=lambda: now[0])
        allowed = 0
        while now[0] < 10:
            allowed += budget.spend("x") == 0
            now[0] += 0.01

        assert 100 <= allowed <= 106
        paced = Budget(rate=10, burst=1, clock=lambda: now[0])
        for _ in range(100):
            assert paced.spend("x") == 0
            now[0] += 0.1
