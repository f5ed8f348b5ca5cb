"""Playing a day over HTTP: everything arrives once more than it is turned away, each story in its own order."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox.serve import run_sandbox
from sandbox.settings import SandboxSettings

SETTINGS = SandboxSettings(port=0, customers=12)


class RecordingCollector:
    """Answers as a collector does, and keeps what it got; `refusals` are given out before anything is taken."""

    def __init__(self) -> None:
        self.refusals: list[int] = []
        self.calls: list[tuple[str, dict[str, str], Any]] = []

    async def __call__(self, scope, receive, send):
        assert scope["type"] == "http"
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        status = self.refusals.pop() if self.refusals else 200
        if status == 200:
            headers = {k.decode(): v.decode() for k, v in scope["headers"]}
            target = scope["path"] + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
            self.calls.append((target, headers, json.loads(body)))
        wait = [(b"retry-after", b"0")] if status == 429 else []
        await send({"type": "http.response.start", "status": status, "headers": wait})
        await send({"type": "http.response.body", "body": b"{}"})

    def paths(self) -> set[str]:
        return {target.partition("?")[0] for target, _, _ in self.calls}


@contextlib.asynccontextmanager
async def listening(app: Any) -> AsyncIterator[str]:
    """Serve an application on a free port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none"))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def running(settings: SandboxSettings = SETTINGS) -> AsyncIterator[httpx.AsyncClient]:
    """Run the sandbox, and yield a client of it."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(run_sandbox(settings, ready=address.set_result, stop=stop))
    try:
        async with httpx.AsyncClient(base_url=await address, timeout=60) as client:
            yield client
    finally:
        stop.set()
        await task


async def play(client: httpx.AsyncClient, collector: str, stores: tuple[str, ...] = ("acme",), **more: Any) -> dict:
    """Play a day and return the last progress."""
    told = [
        {"store": store, "account": store, "collector": collector,
         "reports_url": f"{collector}/v1/reports/infobip/{store}?token=hook-secret-of-{store}"}
        for store in stores
    ]  # fmt: skip
    answer = await client.post("/control/day", json={"stores": told, "customers": 20, **more})
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(120):
        while True:
            progress = (await client.get("/control/day")).json()
            if progress["finished"]:
                return progress
            await asyncio.sleep(0.05)


async def test_two_stores_play_a_day():
    """Every interface is used, every step is done, and the ledger's counts are the shop's."""
    collector = RecordingCollector()
    async with listening(collector) as url, running() as client:
        progress = await play(client, url, ("acme", "bela"), seed=3)
        ledger = (await client.get("/control/ledger")).json()["stores"]
        accounts = {a["account"]: a for a in (await client.get("/control/accounts")).json()}
        headers = {"X-VTEX-API-AppKey": accounts["acme"]["app_key"],
                   "X-VTEX-API-AppToken": accounts["acme"]["app_token"]}  # fmt: skip
        scrolled = await client.get("/vtex/acme/api/dataentities/CL/scroll?_size=1000&_fields=id", headers=headers)
        listed = await client.get("/vtex/acme/api/oms/pvt/orders?per_page=100", headers=headers)
        campaigns = (await client.get("/control/campaigns", params={"store": "bela"})).text

    assert (progress["phase"], progress["error"], progress["done"]) == ("done", None, progress["total"])
    assert collector.paths() == {
        "/v1/public/acks", "/v1/public/identifications", "/v1/reports/infobip/acme", "/v1/reports/infobip/bela",
        "/v1/track/batch", "/v1/track/events", "/v1/triggers/acme/customers", "/v1/triggers/acme/orders",
        "/v1/triggers/bela/customers", "/v1/triggers/bela/orders",
    }  # fmt: skip
    assert len(scrolled.json()) == ledger["acme"]["customers"]
    groups = {row["orderId"].rpartition("-")[0] for row in listed.json()["list"]}
    assert groups == set(ledger["acme"]["verdicts"])
    assert {cell["currency"] for cell in ledger["bela"]["cells"]} == {"CLP"}
    assert campaigns.startswith("campaign,name,channel,day,recipients,deliveries,cost,currency\r\n")
    assert any(line.startswith("news-3,") and line.endswith(",CLP") for line in campaigns.splitlines())


async def test_a_story_keeps_its_order():
    """What one browser tells arrives in the order in which it happened."""
    collector = RecordingCollector()
    async with listening(collector) as url, running() as client:
        await play(client, url)

    by_session: dict[str, list[str]] = {}
    for target, _, body in collector.calls:
        for event in body.get("events", [body]) if target.startswith("/v1/track/") else ():
            if event.get("tracked_at") and event.get("session"):
                by_session.setdefault(event["session"], []).append(event["tracked_at"])
    assert by_session
    for times in by_session.values():
        first_told = list(dict.fromkeys(times))  # a beacon repeats what the next page sends
        assert first_told == sorted(first_told)


async def test_what_is_turned_away_for_the_moment_is_sent_again():
    """429 and 5xx cost time and no event."""
    collector = RecordingCollector()
    collector.refusals = [503, 429, 500, 503]
    async with listening(collector) as url, running() as client:
        progress = await play(client, url)
    calm = RecordingCollector()
    async with listening(calm) as url, running() as client:
        undisturbed = await play(client, url)

    assert progress["counts"].pop("again") == 4
    assert progress["counts"] == undisturbed["counts"]
    assert len(collector.calls) == len(calm.calls)


async def test_a_refusal_ends_the_day_and_says_why():
    """Without the secret in it."""
    collector = RecordingCollector()
    collector.refusals = [401] * 100
    async with listening(collector) as url, running() as client:
        progress = await play(client, url)

    assert progress["phase"] != "done"
    assert "401" in progress["error"]
    assert "secret" not in progress["error"]


async def test_days_are_played_once_and_one_at_a_time():
    """A second one needs another seed; its campaigns, people and orders come on top."""
    collector = RecordingCollector()
    async with listening(collector) as url, running() as client:
        await play(client, url, seed=1)
        first = (await client.get("/control/ledger")).json()["stores"]["acme"]
        store = {"store": "acme", "account": "acme", "collector": url}
        again = await client.post("/control/day", json={"seed": 1, "stores": [store]})
        await play(client, url, seed=2)
        both = (await client.get("/control/ledger")).json()["stores"]["acme"]

    assert (again.status_code, "another seed" in again.json()["error"]) == (409, True)
    assert set(first["verdicts"]) < set(both["verdicts"])
    assert both["customers"] > first["customers"]
    keys = [tuple(cell[name] for name in ("campaign", "basis", "date", "currency")) for cell in both["cells"]]
    assert len(keys) == len(set(keys))
    assert {cell["campaign"].rpartition("-")[2] for cell in both["cells"]} == {"1", "2"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400), (b"[]", 422), (b"{}", 422), (b'{"stores": [{"store": "acme"}]}', 422),
        (b'{"stores": [{"store": "x", "account": "nobody", "collector": "http://127.0.0.1:1"}]}', 404),
        (b'{"seed": "seven"}', 422), (b'{"stores": 5}', 422),
        (b'{"customers": 10001, "stores": [{"store": "acme", "account": "acme", "collector": "http://a"}]}', 422),
    ],
)  # fmt: skip
async def test_a_wrong_call_gets_one_clear_answer(body, status):
    """And the sandbox goes on."""
    async with running() as client:
        answer = await client.post("/control/day", content=body)

        assert answer.status_code == status
        assert answer.json()["error"]
        assert (await client.get("/control/day")).json()["phase"] == "idle"
