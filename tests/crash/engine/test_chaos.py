"""The short chaos of every test run; `make chaos` and `make verify` run it at length, also on a cluster of three."""

import pytest

from tests.crash.engine.chaos import arguments, chaos, run

SEED = 7


@pytest.mark.broker
@pytest.mark.timeout(180)
async def test_killed_and_frozen_workers_lose_and_double_nothing(kafka, tmp_path, capsys):
    """Every id once, every count exact, tables equal to changelogs, fates balanced, effects told once."""
    given = ["--seed", str(SEED), "--events", "25000", "--kills", "6", "--freezes", "1", "--leaves", "1"]
    given += ["--seconds", "30", "--standby", "1", "--folder", str(tmp_path)]
    found = await chaos(kafka.bootstrap_servers, arguments(given))
    assert (found.lost, found.doubled, found.wrong) == (0, 0, []), capsys.readouterr().out


@pytest.mark.broker
@pytest.mark.long
@pytest.mark.timeout(400)
async def test_three_brokers_that_die_and_stall_lose_and_double_nothing(tmp_path, capsys):
    """Leaders move, a broker is killed and another stalls, while workers are killed, frozen and stay away."""
    given = ["--seed", str(SEED), "--brokers", "3", "--events", "40000", "--kills", "8", "--freezes", "1"]
    given += ["--leaves", "1", "--broker-kills", "2", "--broker-stalls", "1", "--seconds", "90", "--standby", "1"]
    given += ["--folder", str(tmp_path)]
    found = await run(arguments(given))
    assert (found.lost, found.doubled, found.wrong) == (0, 0, []), capsys.readouterr().out
