"""A replay that was killed leaves topics: the next one removes them, and nothing of one that lives."""

import asyncio
import json
import signal

import pytest

from connectors.console.rows import write_row
from connectors.kafka.admin import open_admin
from connectors.kafka.provisioning import provision
from hellotext_vtex.commands import replay
from hellotext_vtex.foreground import CommandError
from hellotext_vtex.settings import Settings
from schemas.kpis import CampaignKpis
from schemas.topics import KPI_CAMPAIGNS
from streams.replay_life import left_behind
from tests.scenarios.front_door.commands import CommandLine
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]


async def topics_of(kafka):
    """Return the topics under the prefix of this test."""
    async with open_admin(kafka) as admin:
        return {name for name in await admin.shapes() if name.startswith(kafka.topic_prefix)}


async def test_what_a_killed_replay_has_left_is_removed_by_the_next_one(empty_kafka, tmp_path):
    """`kill -9`: as long as it may live nothing of it is touched; then topics and tables go, and nothing else."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": empty_kafka.bootstrap_servers, "TOPIC_PREFIX": empty_kafka.topic_prefix}
    run = CommandLine(tmp_path, environment)
    settings = Settings(
        kafka_bootstrap_servers=empty_kafka.bootstrap_servers, topic_prefix=empty_kafka.topic_prefix,
        state_folder=tmp_path / ".state",
    )  # fmt: skip
    await provision(empty_kafka, partitions=1)
    cell = CampaignKpis(
        store="acme", campaign="c", basis="total", date="all", currency="BRL", sent=1, updated_at="2026-11-26T10:00:00Z"
    )
    await write_row(empty_kafka, KPI_CAMPAIGNS, "acme", ("c", "total", "all", "BRL"), cell)  # it differs: three looks
    live, tables = await topics_of(empty_kafka), tmp_path / ".state" / "replay"

    killed = run.start("replay")
    made = await until("it has topics", lambda: made_by(empty_kafka, live, "kpi.campaigns"))
    (into,) = {name.partition("kpi.")[0] for name in made}
    await until("it has tables", lambda: listed(tables))
    killed.send_signal(signal.SIGSTOP)  # it lives, and does not get on
    try:
        assert await left_behind(empty_kafka) == []
        with pytest.raises(CommandError, match="somebody replays"):
            await replay._drop(settings, into)
        standing = await topics_of(empty_kafka)
    finally:
        killed.kill()
        killed.communicate()
    assert await until("it is taken for dead", lambda: left_behind(empty_kafka)) == [into]
    assert await topics_of(empty_kafka) >= standing  # the broker may still have been making what was asked for
    assert [name[:-8] for name in await listed(tables)] == [into]

    following = await asyncio.to_thread(run, "replay", "--json")

    assert (following.code, json.loads(following.out)["compared"]) == (1, 1), following.err
    assert "what a replay that was killed has left is deleted" in following.err
    assert await topics_of(empty_kafka) == live
    assert await listed(tables) == []
    dropped = await asyncio.to_thread(run, "replay", "--into", into, "--drop", "--json")
    assert (dropped.code, dropped.json) == (0, {"prefix": into, "deleted": 0}), dropped.err
    nothing = await asyncio.to_thread(run, "replay", "--into", into, "--compare")
    assert (nothing.code, f"nothing stands under {into}" in nothing.err) == (1, True), nothing.err


async def made_by(kafka, live, end):
    """Return the topics of such a name that are not live: a replay has made them."""
    return {name for name in await topics_of(kafka) - live if name.endswith(end)}


async def listed(folder):
    """Return what stands in a folder."""
    return [one.name for one in folder.glob("*")]
