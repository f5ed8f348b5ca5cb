"""Every command, found by walking the tree: help with an example, and errors that a script can read."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from connectors.kafka.secrets import SecretBox
from hellotext_vtex.app import app
from hellotext_vtex.commands.connect import _request
from hellotext_vtex.settings import Settings


def _leaves(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not hasattr(command, "commands"):
        return {path: command}
    found: dict[tuple[str, ...], Any] = {}
    for name, child in command.commands.items():
        found |= _leaves(child, (*path, name))
    return found


COMMANDS = _leaves(typer.main.get_command(app))
STARTING = {("up",), ("demo",), ("broker",), ("sandbox",)}
"""They need no broker: each would start what it runs."""


@pytest.fixture(autouse=True)
def nothing_runs_here(monkeypatch, tmp_path):
    """A folder without a broker and without settings; the process's logs stay as they are for other tests."""
    monkeypatch.setattr("hellotext_vtex.started.configure_logs", lambda *_: None)
    for name in Settings.names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRETS_KEY", SecretBox.generate_key().decode())  # made otherwise, which is told
    (tmp_path / "file.csv").write_text("campaign\nx\n")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_says_what_it_does_with_an_example_and_every_option(path):
    """A newcomer copies the example."""
    ran = CliRunner().invoke(app, [*path, "--help"])
    options = [one for one in COMMANDS[path].params if "--help" not in one.opts]

    assert ran.exit_code == 0, ran.output
    assert f"Example: hellotext-vtex {' '.join(path)}" in " ".join(COMMANDS[path].help.split()) or (
        "Example: " in COMMANDS[path].help and f"hellotext-vtex {' '.join(path)}" in COMMANDS[path].help
    )
    assert [one.name for one in options if not getattr(one, "help", None)] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_wrong_usage_is_json_for_scripts(path):
    """The last line on standard error is one object; nothing is on standard output."""
    ran = CliRunner().invoke(app, [*path, "--json", "--no-such-option"])

    error = json.loads(ran.stderr.splitlines()[-1])["error"]
    assert (ran.exit_code, error["exit_code"], ran.stdout) == (2, 2, "")
    assert "--no-such-option" in error["message"]


@pytest.mark.parametrize("port", ["-1", "65536", "99999999"])
def test_a_port_that_is_none_is_wrong_usage(port):
    """Of the broker as of all others."""
    ran = CliRunner().invoke(app, ["broker", "--port", port])

    assert ran.exit_code == 2
    assert "--port" in ran.output


def test_what_connect_misses_is_told_by_its_flag(capsys):
    """As it is typed: `--hellotext-business`, and one `--origin` for each origin."""
    given = {"vtex_account": "acme", "vtex_app_key": "vtexappkey-acme-ABCDEF", "vtex_app_token": "t"}

    with pytest.raises(typer.Exit):
        _request({**given, "origins": ("no origin",)})

    told = capsys.readouterr().err
    assert "--hellotext-business: must be given" in told
    assert "--hellotext-token: must be given" in told
    assert "--origin: " in told


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in STARTING], ids=" ".join)
def test_a_missing_broker_is_json_for_scripts(path):
    """The same shape when a command cannot do what it was asked; without --json it is one line for people."""
    given = [*path, *_required(COMMANDS[path])]

    ran = CliRunner().invoke(app, [*given, "--json"])
    plain = CliRunner().invoke(app, given)

    if path == ("doctor",):
        assert json.loads(ran.stdout)[-1]["about"] == "broker"
        return
    error = json.loads(ran.stderr.splitlines()[-1])["error"]
    assert (ran.exit_code, error["exit_code"], ran.stdout) == (1, 1, "")
    assert "no broker" in error["message"]
    assert (plain.exit_code, plain.stderr) == (1, f"error: {error['message']}\n")


def _required(command: Any) -> list[str]:
    """Return the least that a command needs, so that it comes to look for the broker."""
    values = {"file": "file.csv", "topic": "stores", "query": "select 1", "day": "2026-11-27"}
    keys = ("--vtex-app-key", "k", "--vtex-app-token", "t", "--hellotext-business", "b", "--hellotext-token", "t")
    extra = {
        "messages send": ("--text", "hi"), "stores set": ("--privacy", "none"), "stores remove": ("--yes",),
        "stores renew": ("--hook-secret", "--yes"),
        "forget": ("--customer", "c1", "--yes"), "connect": ("--vtex-account", "acme", *keys, "--yes"),
    }  # fmt: skip
    arguments = []
    for one in command.params:
        if one.required or one.name == "file":
            value = values.get(one.name, "acme")
            arguments += [value] if one.param_type_name == "argument" else [one.opts[0], value]
    path = next(" ".join(path) for path, other in COMMANDS.items() if other is command)
    return [*arguments, *extra.get(path, ())]
