"""Keys and brokers that commands find beside the state."""

import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from connectors.kafka.jars import pinned
from connectors.kafka.ports import free_ports
from hellotext_vtex.doctor import _jars
from hellotext_vtex.foreground import CommandError
from hellotext_vtex.keys import open_box
from hellotext_vtex.provisioned import require_web_port
from hellotext_vtex.running import FILE, Running, find_running, with_broker
from hellotext_vtex.settings import Settings, SettingsError
from hellotext_vtex.up import Wish, _with_ports


@pytest.fixture(autouse=True)
def own_folder(monkeypatch, tmp_path):
    """Each test has a folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def settings():
    """Settings that read nothing of this machine."""
    return Settings(_env_file=None, kafka_bootstrap_servers="")


class TestKey:
    """SECRETS_KEY is made once."""

    def test_a_key_is_made_once_and_is_the_owner_s_alone(self, settings):
        """Mode 0600, and the next process reads the same one."""
        sealed = open_box(settings).seal("token")

        assert open_box(settings).unseal(sealed) == "token"
        assert stat.S_IMODE((settings.state_folder / "secrets.key").stat().st_mode) == 0o600

    def test_processes_that_start_together_agree(self, settings):
        """The first one's key holds for all."""
        with ThreadPoolExecutor(8) as pool:
            boxes = list(pool.map(lambda _: open_box(settings), range(16)))

        assert {box.unseal(boxes[0].seal("token")) for box in boxes} == {"token"}

    def test_a_folder_that_cannot_be_written_is_named(self, settings, tmp_path):
        """With what to give instead."""
        (tmp_path / "file").write_text("")
        blocked = settings.model_copy(update={"state_folder": tmp_path / "file" / "state"})

        with pytest.raises(SettingsError, match="SECRETS_KEY"):
            open_box(blocked)


class TestRunning:
    """A second terminal finds what the first one started."""

    def test_the_broker_that_runs_here_is_found(self, settings):
        """With its prefix and state."""
        Running("127.0.0.1:1234", "p.", "state", os.getpid()).announce()

        found = with_broker(settings)

        assert (found.kafka_bootstrap_servers, found.topic_prefix, str(found.state_folder)) == (
            "127.0.0.1:1234", "p.", "state"
        )  # fmt: skip

    def test_one_whose_process_is_gone_is_not(self, settings):
        """The message says what to start."""
        Running("127.0.0.1:1234", "", "state", 2**22 + 1).announce()

        with pytest.raises(SettingsError, match="hellotext-vtex up"):
            with_broker(settings)

    def test_a_damaged_file_is_no_broker(self):
        """Nor is it an error."""
        FILE.parent.mkdir()
        FILE.write_text("{")

        assert find_running() is None

    def test_a_given_broker_comes_first(self, settings):
        """KAFKA_BOOTSTRAP_SERVERS is the operator's word."""
        Running("127.0.0.1:1234", "", "state", os.getpid()).announce()
        given = settings.model_copy(update={"kafka_bootstrap_servers": "broker:9092"})

        assert with_broker(given) == given

    def test_only_its_own_announcement_is_withdrawn(self):
        """Another broker may have been started meanwhile."""
        mine = Running("127.0.0.1:1", "", "state", os.getpid())
        Running("127.0.0.1:2", "", "state", os.getppid()).announce()

        mine.withdraw()

        assert find_running().bootstrap_servers == "127.0.0.1:2"

    def test_the_first_one_stays_the_one_that_is_found(self):
        """A `broker` beside a running `up` takes nobody's commands away, and says how it is reached."""
        first = Running("127.0.0.1:1", "", "state", os.getppid())
        second = Running("127.0.0.1:2", "", "state", os.getpid())
        first.announce()

        with capture_logs() as logs:
            second.announce()
        found = find_running()
        second.withdraw()

        assert found == find_running() == first
        assert [entry["broker"] for entry in logs if "KAFKA_BOOTSTRAP_SERVERS" in entry["event"]] == ["127.0.0.1:2"]

    def test_a_folder_that_cannot_be_written_stops_no_broker(self, settings):
        """Commands do not find it by themselves: that is told."""
        FILE.parent.write_text("no folder")

        with capture_logs() as logs:
            Running("127.0.0.1:1", "", "state", os.getpid()).announce()

        assert ["KAFKA_BOOTSTRAP_SERVERS" in entry["event"] for entry in logs] == [True]
        with pytest.raises(SettingsError, match="no broker"):
            with_broker(settings)

    def test_a_port_that_is_in_use_tells_who_runs_here(self, settings):
        """A second `up` in a folder is usually a forgotten first one."""
        Running("127.0.0.1:1", "", "state", os.getppid()).announce()
        with socket.create_server(("127.0.0.1", 0)) as server:
            taken = settings.model_copy(update={"collector_port": server.getsockname()[1], "console_port": 0})

            with pytest.raises(CommandError, match=f"process {os.getppid()} runs .* in this folder.*COLLECTOR_PORT"):
                _with_ports(taken, Wish())


def test_a_worker_s_port_that_is_taken_is_refused():
    """Faust would wait for it for ever, and say that it waits for the broker."""
    (port,) = free_ports(1)  # none that an outgoing connection of others may be given once it is free again
    refused = pytest.raises(SettingsError, match=f"WORKER_WEB_PORT.*127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", port)), refused:
        require_web_port("127.0.0.1", port)
    require_web_port("127.0.0.1", port)
    require_web_port("127.0.0.1", None)


def test_half_a_download_is_no_broker(monkeypatch, tmp_path):
    """The folder stands from the first attempt on; doctor looks whether the jars do."""
    monkeypatch.setattr("hellotext_vtex.doctor.jars_folder", lambda: tmp_path)

    assert "fetched when" in _jars().detail

    for jar in pinned().jars:
        (tmp_path / jar.file).touch()
    assert str(tmp_path) in _jars().detail
