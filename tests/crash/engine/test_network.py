"""A worker that is cut off from the broker for longer than its session: others take over, and it can write nothing."""

import argparse
import asyncio
import random

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from connectors.kafka.properties import HOST
from schemas import topics
from tests.crash.cable import CabledKafka
from tests.crash.engine.chaos import INPUTS, SESSION_S, command, compare_tables, put
from tests.crash.engine.ledger import Load, verify
from tests.crash.herd import PARTITIONS, Herd, drained
from tests.waiting import until

SEED, EVENTS, SECONDS = 5, 12_000, 36.0


async def disturb(cable, herd, chance, seconds):
    """Cut the cable now and then, for longer than a session lasts."""
    for late in (True, False):
        await herd.minded(chance.uniform(2, 5))
        cable.cut()
        await herd.minded(SESSION_S + chance.uniform(2, 4))
        cable.mend(late=late)
    await herd.minded(max(0.0, seconds - 40))


@pytest.mark.broker
@pytest.mark.timeout(240)
async def test_who_was_cut_off_writes_nothing_when_the_network_is_back(tmp_path, capsys):
    """Once what it had sent arrives late, once its connections are gone. Nothing is lost or doubled."""
    prefix, load, chance = "cut-", Load(EVENTS, 500, SEED), random.Random(SEED)
    args = argparse.Namespace(wild=True, seed=SEED, standby=0, self_kill=0.0)
    async with CabledKafka() as kafka, kafka.cable() as cable:
        options = {"bootstrap_servers": kafka.bootstrap_servers}
        admin = AIOKafkaAdminClient(**options)
        await admin.start()
        await admin.create_topics([NewTopic(prefix + topic.name, PARTITIONS, 1) for topic in topics.TOPICS])
        await admin.close()
        near = command(kafka.bootstrap_servers, prefix, tmp_path, args)
        far = command(f"{HOST}:{cable.port}", prefix, tmp_path, args)
        herd = Herd(lambda instance, earlier: (far if instance == "far" else near)(instance, earlier), tmp_path)
        try:
            herd.start("near")
            herd.start("far")
            # A cut that meets a worker which has not begun yet proves nothing.
            await until("both work", lambda: all((tmp_path / f"ready-{name}").exists() for name in herd.instances))
            await asyncio.gather(put(options, prefix, load, SECONDS), disturb(cable, herd, chance, SECONDS))
            left = await drained(options, prefix, INPUTS, herd)
            found = await verify(options, prefix, load, (tmp_path / "calls").read_text().splitlines())
            found.expect("not drained", left, {})
            await compare_tables(options, prefix, tmp_path, herd, found)
        finally:
            await asyncio.to_thread(herd.stop)  # the cable lies in this loop
    log = (tmp_path / "log-far").read_text()
    assert "shard fenced" in log  # it did try
    assert (found.lost, found.doubled, found.wrong) == (0, 0, []), capsys.readouterr().out + log[-5_000:]
