"""The short chaos of every test run; `make chaos` and `make verify` run it at length, also on a cluster of three."""

import pytest

from tests.crash.engine.chaos import arguments, chaos

SEED = 7


@pytest.mark.broker
@pytest.mark.timeout(180)
async def test_killed_and_frozen_workers_lose_and_double_nothing(kafka, capsys):
    """Every id once, every count exact, tables equal to changelogs, fates balanced, effects told once."""
    given = ["--seed", str(SEED), "--events", "25000", "--kills", "6", "--freezes", "1", "--seconds", "30"]
    found = await chaos(kafka.bootstrap_servers, arguments(given))
    assert (found.lost, found.doubled, found.wrong) == (0, 0, []), capsys.readouterr().out
