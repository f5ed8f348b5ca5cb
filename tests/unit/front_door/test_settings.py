"""Settings: typed, with defaults that run, and a clear word about what is wrong."""

import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hellotext_vtex.doctor import _names
from hellotext_vtex.settings import Settings, SettingsError, misspelt, read_settings
from hellotext_vtex.started import started
from streams.call_rates import RATES


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch, tmp_path):
    """Neither the environment nor a .env file of whoever runs the tests is read."""
    for name in Settings.names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_has_to_be_set():
    """The defaults are those of DESIGN section 9."""
    settings = read_settings()

    assert (settings.collector_host, settings.collector_port) == ("127.0.0.1", 8080)
    assert (settings.console_host, settings.console_port) == ("127.0.0.1", 8090)
    assert settings.public_collector_url == "http://127.0.0.1:8080"


def test_a_dotenv_file_counts_below_the_environment(monkeypatch):
    """A file is for a machine, a variable for a command."""
    Path(".env").write_text("COLLECTOR_PORT=1111\nCONSOLE_PORT=2222\n")
    monkeypatch.setenv("CONSOLE_PORT", "3333")

    settings = read_settings()

    assert (settings.collector_port, settings.console_port) == (1111, 3333)


@pytest.mark.parametrize(
    ("name", "value"),
    [("COLLECTOR_PORT", "many"), ("COLLECTOR_PORT", "70000"), ("PARTITIONS", "0"), ("LOG_FORMAT", "xml"),
     ("TOPIC_PREFIX", "with space"), ("KAFKA_SECURITY_PROTOCOL", "SSH")],
)  # fmt: skip
def test_a_wrong_value_is_named(monkeypatch, name, value):
    """One line that names the variable, without its value: it could be a secret."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name) as caught:
        read_settings()

    assert value not in str(caught.value).replace(name, "")


def test_a_secret_is_never_shown(monkeypatch):
    """Neither in the settings' text nor in an error."""
    monkeypatch.setenv("SECRETS_KEY", "super-secret")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "super-secret")

    assert "super-secret" not in repr(read_settings())


def test_sasl_needs_its_credentials(monkeypatch):
    """The message names the setting."""
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")

    with pytest.raises(SettingsError, match="KAFKA_SECURITY_PROTOCOL"):
        read_settings().connection()


def test_hosts_are_listed_by_commas(monkeypatch):
    """As `CONSOLE_HOSTS=a.example,b.example`."""
    monkeypatch.setenv("CONSOLE_HOSTS", "a.example, b.example")

    assert read_settings().console().hosts == ("a.example", "b.example")

    monkeypatch.delenv("CONSOLE_HOSTS")
    Path(".env").write_text("CONSOLE_HOSTS=c.example, d.example\n")
    assert read_settings().console().hosts == ("c.example", "d.example")


def test_what_is_empty_is_not_set(monkeypatch):
    """Compose hands on `${NAME:-}` for what nobody has chosen; an empty password protects nothing."""
    for name in Settings.names():
        monkeypatch.setenv(name, "")
    Path(".env").write_text("STATE_FOLDER=\n")

    settings = read_settings()

    assert settings == Settings(_env_file=None)
    assert (settings.console_password, str(settings.state_folder)) == (None, ".state")


def test_a_command_s_flag_beats_the_environment(monkeypatch):
    """And a flag that is not given says nothing."""
    monkeypatch.setenv("PARTITIONS", "6")

    assert read_settings(partitions=12).partitions == 12
    assert read_settings(partitions=None).partitions == 6


def test_a_console_that_a_network_can_reach_needs_a_password(monkeypatch):
    """On this machine alone it needs none."""
    monkeypatch.setenv("CONSOLE_HOST", "192.0.2.1")

    with pytest.raises(SettingsError, match="CONSOLE_PASSWORD"):
        read_settings().console()

    monkeypatch.setenv("CONSOLE_PASSWORD", "a long one")
    assert read_settings().console().password.get_secret_value() == "a long one"


def test_every_destination_that_is_called_has_a_rate(monkeypatch):
    """Settable, and none falls back to a rate for all."""
    named = set()
    for file in (Path(__file__).parents[3] / "streams").rglob("*.py"):
        named |= set(re.findall(r"\"((?:hellotext|infobip)(?:-events|-messages)?)\"", file.read_text("utf-8")))
    monkeypatch.setenv("RATE_HELLOTEXT_EVENTS", "7")

    effects = read_settings().worker("worker-0").effects

    assert set(effects.rates) >= named
    assert effects.rates["hellotext-events"] == 7
    assert effects.rates["hellotext"] == RATES["hellotext"]


def test_a_name_that_is_nearly_ours_is_told(monkeypatch):
    """A misspelt SECRETS_KEY would have another key made; what belongs to other programs is none of our business."""
    monkeypatch.setenv("SECRET_KEY", "x")
    for name in ("KAFKA_HEAP_OPTS", "KAFKA_OPTS", "COLLECTOR_SERVICE_PORT", "LOG_DIR", "CONSOLE_SERVICE_HOST"):
        monkeypatch.setenv(name, "x")
    Path(".env").write_text("colector_port=1\nCONSOLE_PORT=2\n")

    assert misspelt() == {"SECRET_KEY": "SECRETS_KEY", "COLECTOR_PORT": "COLLECTOR_PORT"}


def test_every_command_says_so(monkeypatch):
    """Each process in its own log; never the value, which may be a secret."""
    monkeypatch.setattr("hellotext_vtex.started.configure_logs", lambda *_: None)
    monkeypatch.setenv("SECRET_KEY", "a value")

    with capture_logs() as logs:
        started()

    assert [(entry["given"], entry["meant"]) for entry in logs] == [("SECRET_KEY", "SECRETS_KEY")]
    (finding,) = _names()
    assert "there is no SECRET_KEY" in finding.detail
    assert "SECRETS_KEY is meant" in finding.detail
    assert "a value" not in str(logs)


def test_java_home_is_handed_to_the_broker(monkeypatch):
    """As every program that runs Java has it."""
    monkeypatch.setenv("JAVA_HOME", "/opt/java-21")

    assert read_settings().broker().java_home == Path("/opt/java-21")
