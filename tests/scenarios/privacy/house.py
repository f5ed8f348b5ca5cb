"""A whole house around one store: VTEX, vendors, poller, collector, a worker process, and the command line."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from connectors.kafka.admin import open_admin
from connectors.kafka.reader import CommittedReader, latest_by_key, read_topic
from sandbox.hellotext.api import hellotext
from sandbox.hellotext.book import Business
from sandbox.infobip.account import Account
from sandbox.infobip.api import Infobip
from sandbox.infobip.reporter import Reporter
from sandbox.vtex.api import routes
from sandbox.vtex.shop import Shop
from schemas.stores import InfobipAccess
from tests.pixel_collector import connect, connected
from tests.scenarios.front_door.commands import CommandLine
from tests.scenarios.vtex.shops import KEY, SecretBox

PROCESS = Path(__file__).with_name("worker_process.py")
ROOT = Path(__file__).parents[3]
HEADERS = {"authorization": "Bearer BID123", "user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120"}


class House:
    """Everything that runs, and what it says."""

    def __init__(self, kafka, folder):
        self.kafka = kafka
        self.folder = folder
        self.shop = Shop("acme")
        self.business = Business("BID123", "private")
        self.account = Account("key", Reporter())
        self.box = SecretBox(KEY)
        self.collector = ""
        (folder / "state").mkdir()
        self.run = CommandLine(folder, {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "TOPIC_PREFIX": kafka.topic_prefix,
            "SECRETS_KEY": KEY.decode(), "STATE_FOLDER": str(folder / "state"),
        })  # fmt: skip
        self.worker = None

    @contextlib.asynccontextmanager
    async def outside(self):
        """Serve VTEX and the vendors, and connect the store to them."""
        app = Starlette(routes=[
            Mount("/vtex", routes=routes({"acme": self.shop})), Mount("/hellotext", hellotext({"acme": self.business})),
            Mount("/infobip", Infobip({"acme": self.account})),
        ])  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as listening:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, lifespan="off")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve([listening]))
            try:
                await self._connect(url)
                yield
            finally:
                server.should_exit = True
                await task

    async def _connect(self, url):
        store = connected(self.box)
        vtex = {
            "url": f"{url}/vtex/acme",
            "app_key": self.shop.app_key,
            "app_token": self.box.seal(self.shop.app_token),
        }
        hellotext_access = {"url": f"{url}/hellotext/v1", "token": self.box.seal("private")}
        await connect(self.kafka, store.model_copy(update={
            "vtex": store.vtex.model_copy(update=vtex),
            "hellotext": store.hellotext.model_copy(update=hellotext_access),
            "infobip": InfobipAccess(url=f"{url}/infobip", api_key=self.box.seal("key"), sms_sender="Acme"),
        }))  # fmt: skip

    @property
    def deadly(self):
        """The file that has the worker die in the middle of the next erasure."""
        return self.folder / "state" / "deadly"

    def start_worker(self):
        """Start a worker process; the last one is gone."""
        options = {
            "bootstrap": self.kafka.bootstrap_servers, "prefix": self.kafka.topic_prefix, "key": KEY.decode(),
            "state": str(self.folder / "state"),
        }  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
        with (self.folder / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, PROCESS, json.dumps(options)], stdout=log, stderr=log, env=environment
            )

    def end(self):
        """Leave none behind."""
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    async def tell(self, path, *, status=200, **body):
        """A page tells something."""
        async with httpx.AsyncClient(base_url=self.collector) as shop:
            answer = await shop.post(f"/v1/{path}", json=body, headers=HEADERS)
            assert answer.status_code == status, answer.text

    async def standing(self):
        """Return what every topic and changelog holds: all records, and of compacted ones the last of each key."""
        prefix = self.kafka.topic_prefix
        async with open_admin(self.kafka) as admin:
            names = [name.removeprefix(prefix) for name in await admin.shapes() if name.startswith(prefix)]
            settings = await admin.settings([f"{prefix}{name}" for name in names])
        compacted = {name for name in names if "compact" in settings[f"{prefix}{name}"]["cleanup.policy"]}
        found = {name: {} for name in names}
        async with CommittedReader(self.kafka, names) as reader:
            ends = await reader.ends()
            async for batch in reader.until(ends):
                for record in batch.records:
                    place = record.key if batch.topic in compacted else (batch.partition, record.offset)
                    if record.offset < ends[batch.topic, batch.partition]:
                        found[batch.topic][place] = (record.key, record.value)
        return {
            name: [(key or b"") + b" " + value for key, value in rows.values() if value is not None]
            for name, rows in found.items()
        }

    async def rows(self, topic):
        """Return the last row of each key of a topic."""
        return [orjson.loads(record.value) for record in (await latest_by_key(self.kafka, topic)).values()]

    async def fates(self, reason):
        """Return how many records were left out for a reason, by agent."""
        found = {}
        async for batch in read_topic(self.kafka, "event.fates"):
            for record in batch.records:
                row = orjson.loads(record.value)
                count = sum(one["reason"] == reason for one in row["uncounted"])
                found[row["agent"]] = found.get(row["agent"], 0) + count
        return found
