"""Death at every point of a transaction, one after the other, on one stream of events."""

import argparse
import asyncio
import subprocess
from typing import get_args

import pytest

from streams.engine.milestones import Point
from tests.crash.engine.chaos import INPUTS, command, compare_tables, put
from tests.crash.engine.ledger import Load, verify
from tests.crash.herd import ROOT, Herd, drained

EVENTS = 1_500
DEATH_S = 90.0


async def died(start: list[str], log) -> int:
    """Run a worker until it dies; return its exit code."""
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(*start, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        return await asyncio.wait_for(process.wait(), DEATH_S)
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.broker
async def test_death_at_every_point_of_a_transaction_loses_and_doubles_nothing(kafka, tmp_path):
    """Before the first commit, inside each step of it, behind it, and during recovery; then all is exact."""
    args = argparse.Namespace(seed=11, standby=0, self_kill=0.0, wild=False)
    options, prefix = kafka.options(), kafka.topic_prefix
    start = command(kafka.bootstrap_servers, prefix, tmp_path, args)
    points = get_args(Point)
    loads = [Load(EVENTS // len(points), 50, seed) for seed in range(len(points))]
    total = Load(0, 50, 0)
    for number, (point, load) in enumerate(zip(points, loads, strict=True)):
        load.first = number * EVENTS
        await put(options, prefix, load, 0)
        total.add(load)
        assert await died([*start("w0", number), "--die-at", point], tmp_path / "log-deaths") == -9, point
    deaths = [line.split(" ")[0].split("+")[0] for line in (tmp_path / "deaths").read_text().splitlines()]
    assert deaths == list(points)
    herd = Herd(start, tmp_path)
    try:
        herd.start("w0")
        left = await drained(options, prefix, INPUTS, herd)
        calls = (tmp_path / "calls").read_text().splitlines()
        found = await verify(options, prefix, total, calls)
        found.expect("not drained", left, {})
        await compare_tables(options, prefix, tmp_path, herd, found)
    finally:
        herd.stop()
    assert (found.lost, found.doubled, found.wrong) == (0, 0, [])
