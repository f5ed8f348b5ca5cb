"""The main job: a shop day through every real interface, equal to the sandbox's ledger in every figure."""

import re

import pytest

from tests.scenarios.front_door.commands import CommandLine


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_every_figure_of_the_demo_equals_the_ledger(tmp_path):
    """Exit code 0 means so; the table and the pages to open are printed.

    One day after the other: two that start in the same moments would both find the usual ports free.
    """
    for seed in ("7", "2026"):
        _plays(CommandLine(tmp_path, {})("demo", "--once", "--seed", seed))


def _plays(ran):
    assert ran.code == 0, ran.out + ran.err
    figures = re.search(r"All ([\d,]+) figures in (\d+) cells equal the ledger's", ran.out)
    assert figures is not None
    assert int(figures[2]) >= 20
    assert len(re.findall(r"Profiles of \w+ at Hellotext: (\d+), people it can reach: \1 equal", ran.out)) == 2
    assert "Dashboard  http://" in ran.out
    assert "broker: one of its own, embedded" in ran.err
    assert "a process died" not in ran.err
