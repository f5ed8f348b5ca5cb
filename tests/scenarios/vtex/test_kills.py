"""Two pollers share stores and die again and again: what is in `vtex.changes` ends as the shops have it."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import orjson
import pytest

from connectors.kafka.reader import CommittedReader
from sandbox.vtex.budget import Budget
from sandbox.vtex.serve import serving
from sandbox.vtex.shop import Shop
from schemas import topics
from tests.scenarios.vtex.agreed import last_is_the_shops, rows_of, written_once
from tests.scenarios.vtex.shops import KEY, connect, connected, fill, note, truth
from tests.waiting import until

pytestmark = pytest.mark.broker
PROCESS = Path(__file__).with_name("poller_process.py")
ROOT = Path(__file__).parents[3]
PATIENCE_S = 120.0
"""A busy machine takes long to start a poller, and to read a thousand customers anew; whoever writes gets on."""


class Pollers:
    """Poller processes, each under a name of its own."""

    def __init__(self, kafka, names, folder):
        self._options = {"bootstrap": kafka.bootstrap_servers, "prefix": kafka.topic_prefix, "key": KEY.decode()}
        self.log = folder / "pollers.log"
        self._out = self.log.open("ab")
        self._running = {name: self._spawn(name) for name in names}

    def _spawn(self, name):
        options = json.dumps({**self._options, "instance": name})
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
        return subprocess.Popen(
            [sys.executable, PROCESS, options], stdout=self._out, stderr=self._out, env=environment, cwd=ROOT
        )

    async def kill(self, name):
        """SIGKILL, and a new one under the same name at once."""
        process = self._running[name]
        process.kill()
        await asyncio.to_thread(process.wait)
        self._running[name] = self._spawn(name)

    async def stop(self):
        """SIGTERM; returns the exit codes."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        try:
            return [await asyncio.to_thread(process.wait, PATIENCE_S) for process in self._running.values()]
        finally:
            for process in self._running.values():
                process.kill()
                process.wait()
            self._out.close()


class Life:
    """Customers of a shop come, change, browse and go, one after another."""

    def __init__(self, shop, seed):
        self._shop, self._dice = shop, random.Random(seed)
        self.ids = [document["id"] for document in shop.customers.all()]
        self.moves = 0

    async def go_on(self):
        """Live until cancelled."""
        while True:
            self._move()
            self.moves += 1
            await asyncio.sleep(0.01)

    def _move(self):
        kind, customer = self._dice.random(), self._dice.choice(self.ids)
        if kind < 0.5:
            self._shop.put_customer({"id": customer, "firstName": f"Ana {self._dice.random()}"})
        elif kind < 0.7:
            self.ids += fill(self._shop, 1, first=self._dice.randrange(10**6))
        elif kind < 0.9:
            self._shop.browse(customer)
        else:
            self._shop.delete_customer(customer)
            self.ids.remove(customer)


class Changes:
    """The last state of each store's customers in `vtex.changes`, read as it comes."""

    def __init__(self, reader):
        self._reader, self._customers = reader, defaultdict(dict)

    async def now(self):
        """Read to the end."""
        async for batch in self._reader.until(await self._reader.ends()):
            self._note(batch)

    async def more(self):
        """Wait for more than was read."""
        for batch in await until("more in vtex.changes", self._reader.poll, PATIENCE_S):
            self._note(batch)

    def are(self, wanted):
        """Whether nobody is missing, left over, or different."""
        return wanted == {
            store: {one: state for one, state in self._customers[store].items() if state is not None}
            for store in wanted
        }  # fmt: skip

    def _note(self, batch):
        for record in batch.records:
            event = orjson.loads(record.value)
            note(self._customers[event["store"]], event)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [5, pytest.param(30, marks=pytest.mark.long)])
async def test_nothing_is_missed_when_pollers_are_killed(kafka, tmp_path, kills):
    """SIGKILLs in backfills and while following, deletes included: difference 0, no change twice, the budget kept."""
    shops = {name: Shop(name, budget=Budget(rate=2000, burst=60)) for name in ("acme", "beta", "gama")}
    for shop in shops.values():
        fill(shop, 1500)
    async with serving(shops) as url, CommittedReader(kafka, [topics.VTEX_CHANGES.name]) as reader:
        stores, changes = {name: connected(shop, url) for name, shop in shops.items()}, Changes(reader)
        pollers = Pollers(kafka, ["one", "two"], tmp_path)
        lives = {name: Life(shop, name) for name, shop in shops.items()}
        living = [asyncio.create_task(life.go_on()) for life in lives.values()]
        try:
            await connect(kafka, *stores.values())
            for number in range(kills):
                await changes.now()
                await changes.more()
                await asyncio.sleep(random.random() / 5)  # not to wait for anything: to hit another moment each time
                await pollers.kill(random.choice(["one", "two"]) if number else "one")
            for task in living:
                task.cancel()
            wanted = {name: truth(shop, stores[name]) for name, shop in shops.items()}
            while not changes.are(wanted):
                await changes.more()
        finally:
            codes = await pollers.stop()
    # One that was started a moment ago may have no handler for the signal yet.
    assert set(codes) <= {0, -signal.SIGTERM}, pollers.log.read_text()[-3000:]
    assert {name: shop.budget.refused for name, shop in shops.items()} == dict.fromkeys(shops, 0)
    for name, shop in shops.items():
        customers, orders = await rows_of(kafka, name)
        last_is_the_shops(customers, orders, shop)
        written_once(customers)
