"""What became of letters is told by the exit code, too: who asked for a letter learns that it was not sent."""

import json

import pytest
from typer.testing import CliRunner

from connectors.kafka.dead_letters import Letter, Redriven
from hellotext_vtex.app import app
from hellotext_vtex.commands import letters

STEP = "tracking"


def a_letter(name):
    """Return a letter's head."""
    return Letter("acme", name, STEP, "it is broken", None, "pixel.events", 0, 7, 3, "2027-01-15T08:00:00.000Z", None)


@pytest.fixture
def redrive(monkeypatch):
    """Run the command beside a broker on which the letters given end as given."""

    def run(outcomes, *arguments):
        async def ended(_, wanted, *__, dry_run):
            assert dry_run == ("--dry-run" in arguments)
            return [
                Redriven(a_letter(name), outcome, "cut" if outcome == "impossible" else None)
                for name, outcome in outcomes.items() if not wanted or name in wanted
            ]  # fmt: skip

        monkeypatch.setattr(letters, "connected", lambda **_: None)
        monkeypatch.setattr(letters, "_redrive", ended)
        return CliRunner().invoke(app, ["dead-letters", "redrive", *arguments])

    return run


@pytest.mark.parametrize(
    ("outcomes", "arguments", "code"),
    [
        ({}, (), 0),
        ({"a": "redriven"}, (), 0),
        ({"a": "gone"}, (), 0),
        ({"a": "redriven", "b": "impossible"}, (), 0),
        ({"a": "impossible", "b": "impossible"}, (), 1),
        ({"a": "impossible"}, ("--dry-run",), 1),
        ({"a": "possible", "b": "impossible"}, ("--dry-run",), 0),
        ({"a": "redriven", "b": "impossible"}, ("a",), 0),
        ({"a": "redriven", "b": "impossible"}, ("a", "b"), 1),
        ({"a": "redriven"}, ("a", "c"), 1),
    ],
)
def test_whoever_named_a_letter_or_wanted_some_hears_of_none(redrive, outcomes, arguments, code):
    """All that wait may be asked for at any time: that nothing waits, or that some cannot be sent, is no failure."""
    ran = redrive(outcomes, *arguments)

    assert ran.exit_code == code, ran.output
    assert ran.stderr.startswith("error: ") == bool(code)


def test_what_was_not_sent_is_named_for_scripts(redrive):
    """The result is on standard output all the same, each letter with its reason."""
    ran = redrive({"a": "redriven", "b": "impossible"}, "a", "b", "--json")

    assert [(one["letter"], one["outcome"], one["reason"]) for one in json.loads(ran.stdout)] == [
        ("a", "redriven", None), ("b", "impossible", "cut"),
    ]  # fmt: skip
    error = json.loads(ran.stderr.splitlines()[-1])["error"]
    assert (error["exit_code"], error["message"].startswith("not sent again: b;")) == (1, True)
