"""Nothing that was answered 200 is lost, whenever a collector is killed (DESIGN section 3.1)."""

import asyncio
import random

import pytest
from cryptography.fernet import Fernet

from connectors.kafka.secrets import SecretBox
from tests.pixel_collector import connect, connected, read_topic
from tests.pixel_load import Load
from tests.scenarios.pixel.collectors import Collectors, accepted_more
from tests.waiting import until

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
async def test_what_was_answered_200_survives_sigkill(kafka, tmp_path, kills):
    """The collector dies again and again under load: every answered event stands in the topic."""
    key = Fernet.generate_key()
    await connect(kafka, connected(SecretBox(key)))
    collectors = Collectors(kafka, key, tmp_path / "spool")
    load = Load(collectors.port, pause=0.002)
    load.start()
    try:
        for _ in range(kills):
            await accepted_more(load)
            await asyncio.sleep(random.random() / 10)  # not to wait for anything: to hit another moment each time
            await collectors.kill()
        await accepted_more(load)
        await load.stop()
        await collectors.until(lambda document: document["spool_bytes"] == 0)
    finally:
        codes = await collectors.stop()

    in_topic = [row["id"] for row in await read_topic(kafka, "pixel.events")]
    assert load.accepted - set(in_topic) == set()
    assert codes == [0]


async def test_several_processes_share_one_port(kafka, tmp_path):
    """One dies while the others serve; each has its own part of the spool, and a dead one's is adopted."""
    key = Fernet.generate_key()
    await connect(kafka, connected(SecretBox(key)))
    collectors = Collectors(kafka, key, tmp_path / "spool", processes=2)
    load = Load(collectors.port, pages=12, pause=0.002)
    load.start()
    try:
        await until("each has its part", lambda: len([*(tmp_path / "spool").glob("*/")]) == 2)
        await accepted_more(load)
        await collectors.kill(1)
        await accepted_more(load, 200)
        await load.stop()
        await collectors.drained(tmp_path / "spool")
    finally:
        codes = await collectors.stop()

    assert load.accepted - {row["id"] for row in await read_topic(kafka, "pixel.events")} == set()
    assert codes[0] == 0  # the other may still have been starting
