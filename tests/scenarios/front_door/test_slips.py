"""Slips of the hand on a real broker: a store that is not there, SQL that would write, a reader that has had enough."""

import json
import subprocess

import pytest

from connectors.console.rows import write_row
from schemas.kpis import CampaignKpis
from schemas.topics import KPI_CAMPAIGNS, STORES
from tests.scenarios.front_door.commands import CommandLine
from tests.stores import a_store

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]
COMMANDS = [
    ("kpis", "show", "--store", "unknwon"),
    ("kpis", "watch", "--store", "unknwon"),
    ("kpis", "export", "-", "--store", "unknwon"),
    ("kpis", "explain", "unknwon", "c"),
    ("campaigns", "list", "--store", "unknwon"),
    ("campaigns", "set", "c", "--store", "unknwon", "--day", "2026-11-27"),
    ("campaigns", "import", "campaigns.csv", "--store", "unknwon"),
    ("messages", "send", "--store", "unknwon", "--to", "+5511987654321", "--text", "x"),
    ("stores", "show", "unknwon"),
    ("stores", "pause", "unknwon"),
    ("stores", "resume", "unknwon"),
    ("stores", "set", "unknwon", "--privacy", "lgpd"),
    ("stores", "remove", "unknwon"),
    ("dead-letters", "list", "--store", "unknwon"),
    ("dead-letters", "show", "x", "--store", "unknwon"),
    ("dead-letters", "redrive", "--store", "unknwon"),
    ("topics", "read", "kpi.campaigns", "--store", "unknwon"),
]


@pytest.fixture
async def run(kafka, tmp_path):
    """A shell whose broker knows the stores acme and bela."""
    for name in ("acme", "bela"):
        await write_row(kafka, STORES, name, (), a_store(name))
    (tmp_path / "campaigns.csv").write_text("campaign,day\nc,2026-11-27\n")
    environment = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "TOPIC_PREFIX": kafka.topic_prefix}
    return CommandLine(tmp_path, environment)


def test_a_store_that_is_not_connected_is_told_with_those_that_are(run):
    """By every command that names one; none of them writes or shows anything."""
    for command in COMMANDS:
        ran = run(*command, "--json")
        error = json.loads(ran.err.splitlines()[-1])["error"]

        assert (ran.code, ran.out) == (1, ""), command
        assert "'unknwon'" in error["message"], command
        assert "acme, bela" in error["message"], command
    assert run("campaigns", "list", "--store", "acme", "--json").json == []
    assert run("campaigns", "list", "--store", "acme").out.startswith("Nothing is said of a campaign of acme: ")


async def test_what_a_store_that_was_removed_left_can_still_be_read(run, kafka):
    """Its rows stay in the topics."""
    await write_row(kafka, KPI_CAMPAIGNS, "gone", ("c", "total", "all", "BRL"), _cell("gone", "c"))

    assert run("kpis", "show", "--store", "gone", "--json").json[0]["campaign"] == "c"


def _cell(store, campaign):
    return CampaignKpis(store=store, campaign=campaign, basis="total", date="all", currency="BRL",
                        updated_at="2026-11-26T00:00:00Z")  # fmt: skip


async def test_a_reader_that_has_had_enough_is_no_failure(run, kafka):
    """`| head` ends a command silently, whatever it prints its rows with."""
    for number in range(300):
        await write_row(
            kafka, KPI_CAMPAIGNS, "acme", (f"c{number}", "total", "all", "BRL"), _cell("acme", f"c{number}")
        )

    for command in (
        ("kpis", "export", "-"), ("kpis", "show"), ("kpis", "show", "--json"), ("topics", "read", "kpi.campaigns"),
        ("kpis", "sql", "select * from kpis"), ("kpis", "watch", "--json"),
    ):  # fmt: skip
        process = run.start(*command)
        process.stdout.close()
        _, told = process.communicate(timeout=60)

        assert (process.returncode, told) == (0, ""), command


def test_a_query_that_cannot_be_answered_says_why_and_what_there_is(run):
    """With exit code 2, and it leaves no file."""
    queries = {
        "drop table kpis": "only reading is possible",
        "delete from kpis": "only reading is possible",
        "attach database 'made.db' as made": "only reading is possible",
        "select 1; select 2": "only reading is possible",
        "/* nothing */": "only reading is possible",
        "select revenues from kpis": "no such column: revenues",
        "selec 1": 'near "selec": syntax error',
    }
    for query, told in queries.items():
        ran = run("kpis", "sql", query)

        assert (ran.code, ran.out) == (2, ""), query
        assert told in ran.err, query
        assert "table kpis: store, campaign, basis" in ran.err
        assert "table attributions: " in ran.err
    assert not (run.folder / "made.db").exists()


def test_a_query_reads(run):
    """Aggregates, functions, a table's columns, recursion."""
    assert run("kpis", "sql", "select count(*) as n from kpis", "--json").json == [{"n": 0}]
    columns = run("kpis", "sql", "pragma table_info(kpis)", "--json").json
    assert columns[0]["name"] == "store"
    query = "with recursive n(i) as (select 1 union all select i+1 from n where i<3) select max(i) as m from n"
    assert run("kpis", "sql", query, "--json").json == [{"m": 3}]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--country", "XX"), "--country: 'XX' is no country of ISO 3166-1: give its two letters"),
        (("--country", "Brasil"), "give BR"),
        (("--country", "BR", "--currency", "BRZ"), "--currency: 'BRZ' is no currency of ISO 4217"),
        (("--timezone", "America/Sao Paulo"), "give America/Sao_Paulo"),
        (("--timezone", "Mars/Olympus"), "--timezone: 'Mars/Olympus' is no time zone"),
        (("--origin", "shop"), "--origin: give an address"),
        (("--store", "Acme Shop"), "--store: give small letters, digits"),
    ],
)
def test_a_country_zone_or_currency_that_is_none_is_refused(tmp_path, flags, told):
    """By the flag's name, before a broker is looked for; only the flag that is wrong is named."""
    keys = ("--vtex-app-key", "k", "--vtex-app-token", "t", "--hellotext-business", "B", "--hellotext-token", "t")

    ran = CommandLine(tmp_path, {})("connect", "--vtex-account", "new", *keys, *flags, "--yes", "--no-check")

    assert ran.code == 2
    assert told in ran.err
    assert ran.err.count("--") == 1


def test_a_pipe_that_is_closed_early_ends_help_too():
    """The framework prints it, not we."""
    process = subprocess.Popen(CommandLine.command("--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    _, told = process.communicate(timeout=60)

    assert (process.returncode, told) == (0, "")


def test_other_slips_are_told_too(run):
    """Before anything is written."""
    message = ("messages", "send", "--store", "acme", "--to", "+5511987654321", "--template", "t", "--parameter", "x")
    slips = {
        message: "--parameter 'x' is none: write NAME=VALUE",
        ("kpis", "show", "--campaign", "nope"): "No figures of a campaign 'nope' yet",
        ("stores", "set", "acme", "--price", "whatsapp=0.21XTS"): "'XTS' is no currency",
        ("stores", "set", "acme", "--rate", "EUR=0@2026-11-01"): "it is 0",
        ("stores", "set", "acme", "--origin", "https://shop.example/page"): "scheme and host only",
    }
    for arguments, told in slips.items():
        ran = run(*arguments)

        assert told in ran.out + ran.err, arguments
        assert "Traceback" not in ran.err


def test_a_campaign_s_cost_is_shown_as_money(run):
    """In its currency; the unknown is a dash."""
    flags = ("--store", "acme", "--day", "2026-11-27")
    run("campaigns", "set", "bf", *flags, "--cost", "205.80", "--currency", "BRL")
    run("campaigns", "set", "quiet", *flags)

    out = run("campaigns", "list", "--store", "acme").out

    assert "R$205.80" in out
    assert out.count("—") >= 5
