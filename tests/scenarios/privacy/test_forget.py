"""A person is forgotten in a running house, though the worker dies under it; nothing brings them back."""

import asyncio
import re

import pytest

from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]
PATIENCE_S = 120.0
EMAIL, PHONE = "anaximandra@shop.example", "+5511987654321"
S = "efa19728-461e-4982-8201-cb3a665ba04f"
U = {"source": "hellotext", "medium": "sms", "campaign": "C1"}
VALUES = re.compile(rb"anaximandra|5511987654321|98765-?4321", re.IGNORECASE)


async def live(house):
    """Anaximandra gets known, visits, says who she is, and buys; Bob is somebody else."""
    house.shop.put_customer({"email": "bob@shop.example", "firstName": "Bob", "homePhone": "+5511911112222"})
    customer = house.shop.put_customer({"email": EMAIL, "firstName": "Anaximandra", "homePhone": "(11) 98765-4321"})
    await house.tell("track/events", session=S, action="page.viewed", utm_params=U, page={"url": "https://shop/p"})
    await house.tell("public/identifications", session=S, user_id=customer, email=EMAIL, phone=PHONE)
    order = house.shop.place_order({"customer": customer, "items": [{"sku": "1", "price": 4200, "quantity": 1}]})
    group = order.rpartition("-")[0]
    await house.tell("track/events", session=S, action="order.placed", object_parameters={"reference": group})
    # What cannot be read is kept as a dead letter, with her address in it.
    await house.tell("track/events", session=S, action="order.placed", amount="x", email=EMAIL, status=422)

    async def known():
        profiles = [row for row in await house.rows("profiles") if row["customer"] == customer]
        states = [place["state"] for row in profiles for place in row["destinations"].values()]
        explained = [row["explanation"] for row in await house.rows("attributions") if row["order"] == group]
        return states == ["synced", "synced"] and explained == ["campaign"]

    await until("she is at both vendors, and her order is explained", known, PATIENCE_S)
    return customer, group


async def test_forgotten_is_forgotten(house):
    """Killed between the erasure's last record and its commit, the worker's next life does it; all of it stays so."""
    customer, group = await live(house)
    before = {row["campaign"]: row for row in await house.rows("kpi.campaigns") if row["basis"] == "total"}
    found = await asyncio.to_thread(house.run, "forget", "--store", "acme", "--email", EMAIL, "--check", "--json")
    assert found.out, found.err
    assert (found.code, found.json["erased"], found.json["customers"]) == (1, False, 1), found.err

    house.deadly.touch()
    forgetting = house.run.start("forget", "--store", "acme", "--email", EMAIL, "--yes", "--json")
    await asyncio.to_thread(house.worker.wait, PATIENCE_S)
    house.start_worker()
    out, err = await asyncio.to_thread(forgetting.communicate, timeout=PATIENCE_S)
    assert forgetting.returncode == 0, out + err
    assert '"erased": true' in out
    await nothing_stands(house, customer)

    # VTEX reads her again, the browser goes on, she says who she is elsewhere, and her order is cancelled.
    house.shop.put_customer({"id": customer, "firstName": "Anaximandra Maria"})
    await house.tell("track/events", session=S, action="page.viewed", utm_params=U)
    await house.tell("public/identifications", session="other-session", user_id=customer, email=EMAIL)
    house.shop.cancel_order(f"{group}-01")

    async def left_out():
        fates = await house.fates("forgotten")
        kpis = {row["campaign"]: row for row in await house.rows("kpi.campaigns") if row["basis"] == "total"}
        told = (fates.get("customers", 0), fates.get("tracking", 0), fates.get("profiles", 0))
        return min(told) >= 1 and told[1] >= 2 and kpis["C1"]["conversions"] == 0

    await until("all of it was left out, and the cancellation counted", left_out, PATIENCE_S)
    replayed = await asyncio.to_thread(
        house.run, "replay", "--into", f"{house.kafka.topic_prefix}again.", "--json"
    )  # fmt: skip
    assert replayed.out, replayed.err
    assert replayed.json["forgotten"] >= 4
    await nothing_stands(house, customer)  # under the replay's prefix neither
    checked = await asyncio.to_thread(
        house.run, "forget", "--store", "acme", "--email", EMAIL, "--phone", PHONE, "--check", "--json"
    )
    assert checked.json["erased"], checked.out
    assert (checked.json["complete"], checked.code) == (False, 1)  # copies wait for compaction
    after = {row["campaign"]: row for row in await house.rows("kpi.campaigns") if row["basis"] == "total"}
    assert [after["C1"][name] for name in ("clicks", "visitors")] == [
        before["C1"][name] for name in ("clicks", "visitors")
    ]

    audited = await asyncio.to_thread(house.run, "audit", "--json")
    assert (audited.code, audited.json["balanced"]) == (0, True), audited.out


async def nothing_stands(house, customer):
    """Read with other eyes than the command's: no value of hers in any topic or table, no profile, no person."""
    standing = await house.standing()
    assert {name for name, rows in standing.items() if any(map(VALUES.search, rows))} == set()
    ids = re.compile(customer.encode(), re.IGNORECASE)
    assert {name for name, rows in standing.items() if any(map(ids.search, rows))} <= {
        "effects.outcomes", "event.fates", "vtex.cursors", "vtex.hints"
    }  # fmt: skip
    assert [profile.fields["email"] for profile in house.business.profiles.values()] == ["bob@shop.example"]
    assert len(house.account.people.persons) == 1
