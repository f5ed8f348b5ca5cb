"""The appendix of contracts/hellotext/CONTRACT.md, replayed byte for byte through a real socket into a real Kafka."""

import json
from typing import Any

import pytest

from schemas.events import CloudEvent
from schemas.personal import hash_value
from schemas.pixel import Identification, TrackingEvent
from tests.pixel_collector import HASH_SECRET, connect, connected, read_topic, running, secret_box

pytestmark = pytest.mark.broker

S = "efa19728-461e-4982-8201-cb3a665ba04f"
U = {"source": "hellotext", "medium": "sms", "campaign": "C1", "content": "x"}
URL = "http://store1.myvtex.com/p.html?utm_source=hellotext&utm_medium=sms&utm_campaign=C1&utm_content=x"
P = {"url": URL, "title": "T", "path": "/p.html"}
SHOE = {"url": "https://shop.example/p/1?x=1", "title": "T", "path": "/p/1"}
RECORDED: list[tuple[str, str, dict[str, Any] | None, bytes]] = [
    ("POST", "/v1/public/acks", {"utm_params": U, "at": "2026-11-24T02:09:38.867Z"}, b""),
    ("GET", "/v1/public/businesses/BID123", None, b""),
    ("POST", "/v1/public/acks", {"utm_params": U, "session": S, "at": "2026-11-24T02:09:38.869Z"}, b""),
    ("POST", "/v1/track/events",
     {"session": S, "user_parameters": {}, "action": "page.viewed", "page": P, "utm_params": U}, b""),
    ("POST", "/v1/track/events",
     {"session": S, "user_parameters": {}, "action": "product.viewed", "object": "P1",
      "url": "https://shop.example/p/1?x=1", "page": SHOE, "utm_params": U}, b"x-custom: 1\r\n"),
    ("POST", "/v1/public/identifications",
     {"session": S, "user_id": "u1", "source": "vtex", "email": "a@b.c", "name": ""}, b""),
    ("POST", "/v1/track/events",
     {"session": S, "user_parameters": {"id": "u1", "source": "vtex"}, "action": "cart.added", "amount": 10.5,
      "currency": "BRL", "object_parameters": {"items": []}, "page": P, "utm_params": U}, b""),
    ("POST", "/v1/track/events",
     {"session": S, "user_parameters": {"email": "z@z.z"}, "action": "cart.removed", "page": P, "utm_params": U}, b""),
    ("POST", "/v1/track/events",
     {"session": S, "user_parameters": {}, "action": "order.placed", "metadata": {"x": "x" * 60_001}, "page": P,
      "utm_params": U}, b""),
    ("POST", "/v1/track/events",
     {"session": "undefined", "user_parameters": {}, "action": "page.viewed", "page": P, "utm_params": {}}, b""),
    ("POST", "/v1/public/acks", {"utm_params": U, "session": "SHORTLINK1", "at": "2026-11-24T02:10:00.000Z"}, b""),
]  # fmt: skip
ORIGIN = b"origin: http://store1.myvtex.com\r\nreferer: http://store1.myvtex.com/\r\n"


def recorded(method: str, path: str, document: dict[str, Any] | None, extra: bytes) -> bytes:
    """The bytes of a request as the client of 2.5.5 sent them."""
    body = b"" if document is None else json.dumps(document, separators=(",", ":")).encode()
    head = f"{method} {path} HTTP/1.1\r\nhost: collector\r\nauthorization: Bearer BID123\r\n".encode()
    kind = b"accept: application/json\r\ncontent-type: application/json\r\n"
    length = b"content-length: %d\r\n" % len(body) if document is not None else b""
    return head + kind + extra + ORIGIN + length + b"\r\n" + body


def preflight(method: str, path: str) -> bytes:
    """The preflight that comes before: no credentials."""
    asked = f"access-control-request-method: {method}\r\naccess-control-request-headers: authorization,content-type\r\n"
    return f"OPTIONS {path} HTTP/1.1\r\nhost: collector\r\naccept: */*\r\n{asked}".encode() + ORIGIN + b"\r\n"


async def test_the_recorded_session_lands_in_the_topics(kafka, tmp_path):
    """Every exchange is answered as the client needs it, and everything it told stands where it belongs."""
    box = secret_box()
    await connect(kafka, connected(box))
    async with running(kafka, box, tmp_path / "spool") as collector:
        await collector.ready()
        for method, path, document, extra in RECORDED:
            status, headers, _ = await collector.exchange(preflight(method, path))
            assert 200 <= status < 300
            assert "authorization" in headers["access-control-allow-headers"]
            status, headers, body = await collector.exchange(recorded(method, path, document, extra))
            assert (status, headers["access-control-allow-origin"]) == (200, "*")
            assert json.loads(body) == {"status": "received"} or method == "GET"

    rows = sorted(await read_topic(kafka, "pixel.events"), key=lambda row: row["id"])
    events = [CloudEvent[TrackingEvent].model_validate_json(row["raw"]).data for row in rows]
    assert [(event.kind, event.action, event.session) for event in events] == [
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
    assert {row["key"] for row in rows if row["data"].get("session") == S} == {f"acme/{S}".encode()}
    assert {tuple(row["headers"]) for row in rows} == {(("content-type", b"application/cloudevents+json"),)}
    secret = HASH_SECRET.encode()
    cart, removed, order = events[5], events[6], events[7]
    assert events[2].page.url == URL
    assert events[2].utm is not None
    assert events[2].utm.model_dump(exclude_none=True) == U
    assert (events[3].object, events[3].page.path) == ("P1", "/p/1")
    assert (cart.amount, cart.currency, cart.parameters) == ("10.5", "BRL", {"object_parameters": {"items": []}})
    assert cart.customer_hash == events[4].customer_hash == hash_value(secret, "customer", "u1")
    assert (events[4].email_hash, events[4].identity_source) == (hash_value(secret, "email", "a@b.c"), "vtex")
    assert removed.email_hash == hash_value(secret, "email", "z@z.z")
    assert len(order.parameters["metadata"]["x"]) == 60_001
    assert not any(b"a@b.c" in row["raw"] or b"z@z.z" in row["raw"] for row in rows)

    told = [Identification.model_validate_json(row["raw"]) for row in await read_topic(kafka, "pixel.identities")]
    assert [(one.session, one.customer, one.email) for one in told] == [(S, "u1", "a@b.c"), (S, None, "z@z.z")]
    assert {row["partition"] for row in rows} == {rows[0]["partition"]}


async def test_answers_that_a_page_can_read(kafka, tmp_path):
    """Bad input over a real socket: a status, JSON, CORS, and a dead letter where there was data."""
    box = secret_box()
    await connect(kafka, connected(box))
    async with running(kafka, box, tmp_path / "spool", read_timeout=0.5) as collector:
        await collector.ready()
        url = b"POST /v1/track/events HTTP/1.1\r\nhost: c\r\nauthorization: Bearer BID123\r\n"
        answers = {
            "malformed": await collector.exchange(url + b'content-length: 8\r\n\r\n{"bad": '),
            "unknown": await collector.exchange(url.replace(b"BID123", b"NOBODY") + b"content-length: 2\r\n\r\n{}"),
            "10 MB": await collector.exchange(url + b"content-length: 10000000\r\n\r\n" + b"x" * 10_000_000),
            "slow body": await collector.exchange(url + b"content-length: 100\r\n\r\n{"),
            "no HTTP": await collector.exchange(b"\x16\x03\x01 hello\r\n\r\n"),
        }
        reader, writer = await collector.connection()
        writer.write(b"POST /v1/track")
        cut = await reader.read()
        writer.close()

    assert {name: status for name, (status, _, _) in answers.items()} == {
        "malformed": 400, "unknown": 401, "10 MB": 413, "slow body": 408, "no HTTP": 400,
    }  # fmt: skip
    for _, headers, body in answers.values():
        assert headers["access-control-allow-origin"] == "*"
        assert {"type", "parameter", "description", "message"} == set(json.loads(body)["errors"][0])
    assert cut == b""
    (letter,) = await read_topic(kafka, "dead.letters")
    assert (letter["step"], letter["store"]) == ("collector", "acme")
