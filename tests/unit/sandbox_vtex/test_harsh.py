"""With everything hostile at once, a careful reader still arrives at the truth: the sandbox is harsh, not hopeless."""

import httpx
import orjson
import pytest

from sandbox.vtex.bulk import change_some, customer_id, fill
from sandbox.vtex.hostility import Hostility, harsh

SCROLL = "/api/dataentities/CL/scroll"
FEED = "/api/orders/feed"
CONFIG = {
    "filter": {"type": "FromWorkflow", "status": ["payment-pending", "invoiced"]},
    "queue": {"visibilityTimeoutInSeconds": 30, "MessageRetentionPeriodInSeconds": 345600},
}


class LostError(Exception):
    """An answer that cannot be used."""


async def asked(client: httpx.AsyncClient, method: str, path: str, **options) -> tuple[httpx.Response, list[dict]]:
    """Return a usable answer and its document; cut connections cannot be seen without sockets, half documents can."""
    answer = await client.request(method, path, **options)
    if answer.status_code != 200:
        raise LostError(answer.status_code)
    try:
        return answer, orjson.loads(answer.content or b"[]")
    except orjson.JSONDecodeError as error:
        raise LostError from error


async def scrolled(client: httpx.AsyncClient) -> set[str]:
    """Read one scroll whole, or not at all."""
    answer, rows = await asked(client, "GET", SCROLL, params={"_size": 100, "_fields": "id"})
    found: set[str] = set()
    while rows:
        found |= {row["id"].lower() for row in rows}
        token = answer.headers.get("X-VTEX-MD-TOKEN")
        if token is None:
            raise LostError
        answer, rows = await asked(client, "GET", SCROLL, params={"_token": token})
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_customers_are_complete_after_enough_tries(shop, client, clock, seed):
    """A scroll that lost a page is begun again; abandoned ones give their places back in time."""
    shop.hostility = harsh(seed, never_indexed=0.0, cuts=0.0, storm_length=0.0)
    fill(shop, 600)
    change_some(shop, range(0, 600, 7))
    for number in range(0, 600, 50):
        shop.delete_customer(customer_id(shop, number))
    clock.advance(60)
    found: set[str] = set()
    for _ in range(200):
        try:
            found = await scrolled(client)
            break
        except LostError:
            clock.advance(1300)

    assert found == {document["id"].lower() for document in shop.customers.all()}
    assert {"408", "truncated"} & set(shop.faults.seen)


async def test_every_order_reaches_a_reader_of_the_feed(shop, client, clock):
    """Taken before it is committed: a commit that failed may have had its effect, and the event is gone."""
    await client.post(f"{FEED}/config", json=CONFIG)
    shop.hostility = harsh(4, feed_removed=0.0, cuts=0.0, storm_length=0.0)
    placed = {shop.place_order({"email": f"{number}@x.example"}) for number in range(60)}
    seen: set[str] = set()
    for _ in range(400):
        clock.advance(5)
        try:
            _, events = await asked(client, "GET", FEED, params={"maxlot": 10})
            seen |= {event["orderId"] for event in events}
            if events:
                await asked(client, "POST", FEED, json={"handles": [event["handle"] for event in events]})
        except LostError:
            continue
    shop.hostility = Hostility()

    assert seen == placed
    assert (await client.get(f"{FEED}/config")).json()["quantity"] == 0
