"""`forget` and `replay`: what they refuse before they look at anything, and what they say of what they found."""

from datetime import date

import pytest
from typer.testing import CliRunner

from connectors.privacy.remains import Remain, Remains
from hellotext_vtex.app import app
from hellotext_vtex.commands.forget import _said, _show, _verdict
from hellotext_vtex.demo import Difference
from hellotext_vtex.replaying import Comparison, _is_kept, standing
from hellotext_vtex.settings import Settings


@pytest.fixture(autouse=True)
def nothing_runs_here(monkeypatch, tmp_path):
    """A folder without a broker and without settings."""
    monkeypatch.setattr("hellotext_vtex.started.configure_logs", lambda *_: None)
    for name in Settings.names():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("forget", "--store", "acme"), "name the person"),
        (("forget", "--store", "acme", "--email", "a@b.example", "--check", "--lift"), "either --check or --lift"),
        (("forget", "--store", "acme", "--email", "a@b.example", "--json"), "--yes"),
        (("replay", "--compare"), "--into PREFIX"),
        (("replay", "--drop"), "--into PREFIX"),
        (("replay", "--into", "x.", "--compare", "--drop"), "either --compare or --drop"),
        (("replay", "--into", ""), "another prefix"),
        (("replay", "--into", "no blanks here"), "letters, digits"),
        (("replay", "--into", "replay-1795687200."), "the next one would delete it"),
    ],
)
def test_wrong_usage_is_told(arguments, told):
    """With exit code 2, before a broker is asked."""
    ran = CliRunner().invoke(app, list(arguments), env={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})

    assert (ran.exit_code, told in ran.stderr) == (2, True), ran.stderr


def a_remain(**changes):
    """Return what stands in a place."""
    what = {"place": "vtex.customers", "table": False, "fate": "erased", "standing": 0, "copies": 0, "until": None}
    return Remain(**{**what, **changes})


def test_the_verdict_says_what_is_so():
    """Erased is not complete, a refusal is neither, and records in a spool are not erased."""
    copies = Remains([a_remain(copies=2, until=1_800_000_000_000)])
    kept = Remains([a_remain(place="pixel.events", fate="kept", standing=9, until=1_800_000_000_000)])

    assert (copies.erased, copies.complete) == (True, False)
    assert "--check says when" in _verdict(copies, 0)
    assert (kept.erased, kept.complete) == (True, True)
    assert _verdict(kept, 0).startswith("complete")
    assert "spool" in _verdict(kept, 3)
    assert "NOT erased" in _verdict(Remains([a_remain(standing=1)]), 0)
    assert "NOT erased" in _verdict(Remains([a_remain(place="profiles", fate="destinations", standing=1)]), 0)
    refused = _verdict(Remains(refusals=[("hellotext/c1/3", "Hellotext answered 422")]), 0)
    assert "hellotext/c1/3" in refused
    assert "by hand" in refused
    assert _said(kept.places[0]) == "stays until about 2027-01-15 08:00 UTC: hashes and the session's id, no value"


def test_what_stands_is_shown_and_copies_are_summed_up(capsys):
    """One line for what compaction removes, whatever the number of places."""
    _show(Remains([a_remain(copies=2, until=1_800_000_000_000), a_remain(standing=1, place="orders", table=True)]))

    told = capsys.readouterr().out
    assert "table orders" in told
    assert "vtex.customers" not in told
    assert "2 replaced copies in 1 places leave with compaction, about 2027-01-15 08:00 UTC" in told


def test_only_what_differs_every_time_is_told():
    """Live and replay count what comes just now at different moments."""
    cell = ("acme", "C1", "total", "all", "BRL")
    looks = [
        Comparison(3, 0, tuple(Difference(cell, figure, 1, value) for figure in figures), 0)
        for figures, value in ((("clicks", "sent"), 2), (("clicks", "seen"), 3))
    ]

    [one] = standing(looks).differences
    assert (one.figure, one.ledger) == ("clicks", 3)
    assert standing([*looks, Comparison(3, 0, (), 0)]).equal


def test_cells_whose_events_are_gone_are_left_out():
    """Days before the first whole one, and totals of campaigns that have such days; other stores are compared."""
    since = {"acme": date(2026, 11, 10)}
    days = {("acme", campaign, "delivery", day, "BRL"): None
            for campaign, day in (("old", "2026-11-09"), ("old", "2026-11-12"), ("new", "2026-11-12"))}  # fmt: skip
    kept = {
        key for key in [*days, ("acme", "old", "total", "all", "BRL"), ("acme", "new", "total", "all", "BRL"),
                        ("bela", "old", "delivery", "2026-01-01", "CLP")]
        if _is_kept(key, since, days)
    }  # fmt: skip

    assert {(store, campaign, day) for store, campaign, _, day, _ in kept} == {
        ("acme", "old", "2026-11-12"), ("acme", "new", "2026-11-12"), ("acme", "new", "all"),
        ("bela", "old", "2026-01-01"),
    }  # fmt: skip
