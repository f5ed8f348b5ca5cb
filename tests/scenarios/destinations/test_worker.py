"""Real worker processes, the sandbox's vendors, the broker: killed under way, the destinations end as they should."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import uvicorn
from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.routing import Mount

from connectors.kafka.secrets import SecretBox
from sandbox.hellotext.api import hellotext
from sandbox.hellotext.book import Business
from sandbox.infobip.account import Account
from sandbox.infobip.api import Infobip
from sandbox.infobip.reporter import Reporter
from sandbox.temper import GENTLE, Temper
from schemas import topics
from schemas.events import CloudEvent
from schemas.messages import MessageRequest
from schemas.partition import shard_of
from schemas.stores import InfobipAccess
from schemas.vtex import Customer
from tests.pixel_collector import PARTITIONS, connect, connected, read_topic
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]
PATIENCE_S = 120.0
"""Workers that were killed come back before: in seconds on a machine that has nothing else to do."""
PROCESS = Path(__file__).with_name("worker_process.py")
ROOT = Path(__file__).parents[3]
STORM = Temper(seed=5, after_effect=0.1, hangs=0.1, hang=1.0, errors=0.02, throttled=0.02, retry_after=1)
CUSTOMERS = tuple(f"c{number}" for number in range(40))
MESSAGES = tuple(f"C1.m{number}" for number in range(30))


class Taken(dict):
    """Messages by id, and how often each was taken."""

    def __init__(self):
        super().__init__()
        self.times = Counter()

    def __setitem__(self, message, row):
        self.times[message] += 1
        super().__setitem__(message, row)


class Vendors:
    """The sandbox's Hellotext and Infobip on one port."""

    def __init__(self):
        self.business, self.account = Business("BID123", "private"), Account("key", Reporter(), messages=Taken())
        self.hellotext = hellotext({"acme": self.business}, STORM)
        self.infobip = Infobip({"acme": self.account}, STORM)
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self):
        """Serve until the block ends."""
        app = Starlette(routes=[Mount("/hellotext", self.hellotext), Mount("/infobip", self.infobip)])
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
            task = asyncio.create_task(server.serve([listening]))
            try:
                yield self
            finally:
                server.should_exit = True
                await task

    def calm(self):
        """End the storm."""
        self.hellotext.become(GENTLE)
        self.infobip.become(GENTLE)


class Workers:
    """Worker processes, one after another, with the same state folder."""

    def __init__(self, kafka, key, folder):
        self._options = json.dumps({
            "bootstrap": kafka.bootstrap_servers, "prefix": kafka.topic_prefix, "key": key, "state": str(folder),
        })  # fmt: skip
        self._log = (folder.parent / "worker.log").open("ab")
        self._spawn()

    def _spawn(self):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
        self.process = subprocess.Popen(
            [sys.executable, PROCESS, self._options], stdout=self._log, stderr=self._log, env=environment
        )

    async def kill(self):
        """SIGKILL, and a new one at once."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        self._spawn()

    def end(self):
        """Leave none behind."""
        self.process.kill()
        self.process.wait()
        self._log.close()


def a_customer(customer, version):
    """Return a version of a customer."""
    return Customer(
        store="acme", customer=customer, version=version, source_version=f"2026-01-01T00:00:0{version}Z",
        email=f"{customer}@shop.example", first_name=f"{customer} v{version}", updated_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


async def put(kafka, topic, rows):
    """Write rows as the streams do."""
    async with AIOKafkaProducer(**kafka.options(), acks="all") as producer:
        for key, row in rows:
            value = row.model_dump_json().encode()
            await producer.send_and_wait(
                kafka.topic(topic.name), value, key=topic.key("acme", key), partition=shard_of("acme", PARTITIONS)
            )


async def states(kafka):
    """Return the last published state of each customer."""
    return {row["customer"]: row for row in await read_topic(kafka, topics.PROFILES.name)}


@pytest.fixture
async def vendors():
    """The sandbox's vendors, stormy."""
    async with Vendors().serving() as found:
        yield found


@pytest.fixture
async def workers(kafka, vendors, tmp_path):
    """A worker of a store that is connected to both vendors."""
    key = SecretBox.generate_key().decode()
    box = SecretBox(key)
    store = connected(box)
    access = {"url": f"{vendors.url}/hellotext/v1", "token": box.seal("private")}
    infobip = InfobipAccess(url=f"{vendors.url}/infobip", api_key=box.seal("key"), sms_sender="Acme")
    await connect(kafka, store.model_copy(update={
        "hellotext": store.hellotext.model_copy(update=access), "infobip": infobip,
    }))  # fmt: skip
    found = Workers(kafka, key, tmp_path / "state")
    yield found
    found.end()


async def test_killed_workers_leave_one_profile_for_each_customer_and_one_message_for_each_request(
    kafka, vendors, workers
):
    """A fifth of all calls is applied and never told, workers die in the middle; profiles = customers all the same."""
    for version in (1, 2, 3):
        await put(kafka, topics.VTEX_CUSTOMERS, [(one, a_customer(one, version)) for one in CUSTOMERS])
        wanted = 13 * version

        async def some(wanted=wanted):
            return len(vendors.business.profiles) >= wanted  # Infobip's persons leave all at once

        if version == 2:
            requests = [
                (one, MessageRequest(store="acme", message=one, campaign="C1", channel="sms", to=f"+551198765{n:04d}",
                                     text="Oi", requested_at="2026-01-01T00:00:00Z"))
                for n, one in enumerate(MESSAGES)
            ]  # fmt: skip
            await put(kafka, topics.MESSAGE_REQUESTS, requests)
        await until("some profiles", some, PATIENCE_S)
        await workers.kill()
    vendors.calm()

    async def synced():
        rows = await states(kafka)
        places = [place for row in rows.values() for place in row["destinations"].values()]
        return len(rows) == len(CUSTOMERS) and {(at["state"], at["revision"]) for at in places} == {("synced", 3)}

    await until("everybody is synced at both", synced, PATIENCE_S)
    assert sorted(profile.fields["email"] for profile in vendors.business.profiles.values()) == sorted(
        f"{one}@shop.example" for one in CUSTOMERS
    )
    assert {profile.fields["first_name"] for profile in vendors.business.profiles.values()} == {
        f"{one} v3" for one in CUSTOMERS
    }
    assert len(vendors.account.people.persons) == len(CUSTOMERS)
    assert vendors.hellotext.faults["hang"] > 0
    assert set(vendors.account.messages.times.values()) == {1}


def an_event(number):
    """Return an event of the tracking agent: every fifth is an order, the others are page views of ten sessions."""
    action = "order.placed" if number % 5 == 0 else "page.viewed"
    data = {"store": "acme", "session": f"S{number % 10}", "action": action, "at": "2026-01-01T00:00:00.000Z",
            "parameters": {"number": number}, "device": {}}  # fmt: skip
    return CloudEvent[dict](
        id=f"e{number}", source="tracking", type="tracking.event", time=data["at"], store="acme",
        receivedtime=data["at"], data=data,
    )  # fmt: skip


async def test_forwarded_events_arrive_once_and_orders_for_certain(kafka, vendors, workers):
    """What is not repeated after a lost answer or a killed worker is told; nothing is doubled, no order is missing."""
    await put(kafka, topics.TRACKING_EVENTS, [(f"S{number % 10}", an_event(number)) for number in range(120)])
    told = vendors.business.told

    async def some():
        return len(told.get("events", [])) >= 40

    await until("some events", some, PATIENCE_S)
    await workers.kill()
    vendors.calm()

    async def all_told():
        arrived = {event["number"] for event in told["events"]}
        letters = {letter["detail"] for letter in await read_topic(kafka, topics.DEAD_LETTERS.name)}
        return all(number in arrived or f"event e{number}" in letters for number in range(120))

    await until("every event has arrived or is told", all_told, PATIENCE_S)
    times = Counter(event["number"] for event in told["events"])
    assert all(times[number] == 1 for number in times if number % 5)
    assert all(times[number] for number in range(0, 120, 5))
    views = [event["number"] for event in told["events"] if event["session"] == "S1"]
    assert views == sorted(views)
