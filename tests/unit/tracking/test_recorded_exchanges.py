"""The appendix of contracts/hellotext/CONTRACT.md through the collector's code and the agent: what comes out."""

from schemas.personal import hash_value
from tests.unit.tracking.conftest import NOW, SECRET, told

S = "efa19728-461e-4982-8201-cb3a665ba04f"
U = {"source": "hellotext", "medium": "sms", "campaign": "C1", "content": "x"}
URL = "http://store1.myvtex.com/p.html?utm_source=hellotext&utm_medium=sms&utm_campaign=C1&utm_content=x"
P = {"url": URL, "title": "T", "path": "/p.html"}
SHOE = {"url": "https://shop.example/p/1?x=1", "title": "T", "path": "/p/1"}
EVENT, ACK, IDENTIFY = "event", "acknowledgement", "identification"
# Received on 2027-01-15, while the acks tell 2026-11-24: the recording's clock is 52 days behind, so receipt stands.
RECORDED = [
    (ACK, {"utm_params": U, "at": "2026-11-24T02:09:38.867Z"}),
    (ACK, {"utm_params": U, "session": S, "at": "2026-11-24T02:09:38.869Z"}),
    (EVENT, {"session": S, "user_parameters": {}, "action": "page.viewed", "page": P, "utm_params": U}),
    (EVENT, {"session": S, "user_parameters": {}, "action": "product.viewed", "object": "P1",
             "url": "https://shop.example/p/1?x=1", "page": SHOE, "utm_params": U}),
    (IDENTIFY, {"session": S, "user_id": "u1", "source": "vtex", "email": "a@b.c", "name": ""}),
    (EVENT, {"session": S, "user_parameters": {"id": "u1", "source": "vtex"}, "action": "cart.added", "amount": 10.5,
             "currency": "BRL", "object_parameters": {"items": []}, "page": P, "utm_params": U}),
    (EVENT, {"session": S, "user_parameters": {"email": "z@z.z"}, "action": "cart.removed", "page": P,
             "utm_params": U}),
    (EVENT, {"session": S, "user_parameters": {}, "action": "order.placed", "metadata": {"x": "x" * 60_001}, "page": P,
             "utm_params": U}),
    (EVENT, {"session": "undefined", "user_parameters": {}, "action": "page.viewed", "page": P, "utm_params": {}}),
    (ACK, {"utm_params": U, "session": "SHORTLINK1", "at": "2026-11-24T02:10:00.000Z"}),
]  # fmt: skip


async def test_the_recorded_session(agent):
    """All of it counts; the campaign's link was followed in two sessions, and nobody's click is counted twice."""
    records = [told(body, kind, received=NOW + 10 * number) for number, (kind, body) in enumerate(RECORDED)]
    events = await agent.feed(*records)
    await agent.feed(*records)

    assert agent.shard.fates() == {"counted": 10, "duplicate": 10}
    assert [(event["kind"], event.get("action"), event.get("session")) for event in events] == [
        ("acknowledgement", None, None),
        ("acknowledgement", None, S),
        ("event", "page.viewed", S),
        ("event", "product.viewed", S),
        ("identification", None, S),
        ("event", "cart.added", S),
        ("event", "cart.removed", S),
        ("event", "order.placed", S),
        ("event", "page.viewed", None),
        ("acknowledgement", None, "SHORTLINK1"),
    ]
    landed = [(event["session"], event["landing"]) for event in events if "landing" in event]
    assert landed == [
        (S, {"campaign": "C1", "channel": "sms", "at": "2027-01-15T08:00:00.010Z"}),
        ("SHORTLINK1", {"campaign": "C1", "channel": "sms", "at": "2027-01-15T08:00:00.090Z"}),
    ]
    assert (events[5]["amount_minor"], events[5]["amount_currency"]) == (1050, "BRL")
    assert events[5]["customer_hash"] == events[4]["customer_hash"] == hash_value(SECRET, "customer", "u1")
    assert {event["device"]["kind"] for event in events} == {"mobile"}
    assert events[8]["utm"]["campaign"] == "C1"  # from the page's own address


async def test_vtex_checkout_helper(agent):
    """Its confirmation and its funnel: cents, told again at each change, joined by e-mail and order form."""
    user = {"id": "ana@example.com", "email": "ana@example.com", "firstName": "Ana", "source": "vtex"}
    items = [{"quantity": 2, "price": {"amount": 8990, "currency": "BRL"},
              "product": {"reference": "P1", "sku": "S1", "name": "Shoe", "source": "vtex"}}]  # fmt: skip
    form = {"reference": "form-1", "amount": 17980, "currency": "BRL", "delivery": "deliver", "items": items}
    order = {**form, "reference": "1415461749731"}
    bodies = [
        (IDENTIFY, {"session": S, "user_id": "ana@example.com", **user}),
        (EVENT, {"session": S, "action": "checkout.started", "object_parameters": form, "user_parameters": user}),
        (EVENT, {"session": S, "action": "checkout.started", "object_parameters": {**form, "amount": 8990},
                 "user_parameters": user}),
        (EVENT, {"session": S, "action": "order.placed", "object_parameters": order, "user_parameters": user}),
        (EVENT, {"session": S, "action": "order.placed", "object_parameters": order, "user_parameters": user}),
    ]  # fmt: skip
    events = await agent.feed(*(told(body, kind, received=NOW + 5_000 * n) for n, (kind, body) in enumerate(bodies)))

    assert [(event.get("action"), event.get("amount_minor")) for event in events] == [
        (None, None),
        ("checkout.started", 17980),
        ("order.placed", 17980),
    ]
    assert (events[1]["order_form"], events[2]["order"]) == ("form-1", "1415461749731")
    assert {event["email_hash"] for event in events} == {hash_value(SECRET, "email", "ana@example.com")}
    assert not any(word in str(agent.envelopes) for word in ("ana@", "Ana"))
