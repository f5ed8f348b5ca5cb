"""The state folder is its owner's alone, also one that an earlier version made; one that is shared stays as it is."""

import os
import stat

import pytest
from structlog.testing import capture_logs

from hellotext_vtex.doctor import _disk
from hellotext_vtex.instance import claim, hold
from hellotext_vtex.keys import open_box
from hellotext_vtex.settings import Settings
from hellotext_vtex.state_folder import make_private


@pytest.fixture
def folder(tmp_path):
    """A state folder as earlier versions made it."""
    made = tmp_path / "parent" / "state"
    for name in ("instances", "kafka", "logs", "spool", "tables", "replay", "demo"):
        (made / name).mkdir(parents=True)
    for name in ("secrets.key", "running.json", "running.17.new"):
        (made / name).write_text("x")
    made.chmod(0o755)
    return made


def mode(folder):
    """Return a folder's mode."""
    return stat.S_IMODE(folder.stat().st_mode)


def test_a_new_one_is_private_and_says_nothing(tmp_path):
    """Its parents are everybody's own matter."""
    with capture_logs() as logs:
        make_private(tmp_path / "parent" / "state")
    assert (mode(tmp_path / "parent" / "state"), logs) == (0o700, [])


def test_an_open_one_is_closed_and_told_once(folder):
    """With its name; the second process finds it closed."""
    with capture_logs() as logs:
        make_private(folder)
        make_private(folder)
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o755)
    assert [row["folder"] for row in logs] == [str(folder)]


@pytest.mark.parametrize("use", [lambda at: claim("worker", at), lambda at: hold("poller", "one", at)])
def test_workers_and_pollers_close_it(folder, use):
    """Whoever starts first."""
    use(folder)
    assert mode(folder) == 0o700


def test_whoever_makes_a_key_closes_it(folder):
    """As `connect` does in a folder that was made for something else."""
    (folder / "secrets.key").unlink()
    open_box(Settings(_env_file=None, state_folder=folder))
    assert mode(folder) == 0o700


def test_a_group_that_was_let_in_stays(folder):
    """Somebody has decided that."""
    folder.chmod(0o750)
    make_private(folder)
    assert mode(folder) == 0o750


@pytest.mark.parametrize("whose", ["somebody else's", "shared"])
def test_a_folder_that_is_not_ours_alone_stays_as_it_is(folder, whose, monkeypatch):
    """Such as a home or a project's folder; doctor tells of it."""
    if whose == "shared":
        (folder / "index.html").write_text("x")
    else:
        monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    with capture_logs() as logs:
        make_private(folder)
    assert (mode(folder), logs) == (0o755, [])
    finding = _disk(Settings(_env_file=None, state_folder=folder))
    assert (finding.state, "can be read by everybody" in finding.detail) == ("warning", True)
