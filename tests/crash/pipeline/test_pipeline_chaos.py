"""The short chaos of the real pipeline in every test run; `python -m tests.crash.pipeline.chaos` runs it at length."""

import pytest

from tests.crash.pipeline.chaos import arguments, chaos

SEED = 7


@pytest.mark.broker
@pytest.mark.timeout(180)
async def test_the_products_workers_killed_count_every_cent_once(kafka, tmp_path, capsys):
    """Attributions and cells are those of a run that nobody disturbed; each event once, the audit balanced."""
    given = ["--seed", str(SEED), "--size", "2500", "--kills", "4", "--seconds", "14", "--self-kill", "0.004"]
    given += ["--folder", str(tmp_path)]
    found = await chaos(kafka, arguments(given))
    assert (found.lost, found.doubled, found.wrong) == (0, 0, []), capsys.readouterr().out


@pytest.mark.broker
@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_products_workers_killed_for_longer(kafka, tmp_path, capsys):
    """The same with other shops, more of everything, and more deaths inside transactions."""
    given = ["--seed", "23", "--size", "12000", "--kills", "15", "--seconds", "70", "--self-kill", "0.006"]
    given += ["--folder", str(tmp_path)]
    found = await chaos(kafka, arguments(given))
    assert (found.lost, found.doubled, found.wrong) == (0, 0, []), capsys.readouterr().out
