"""The command line on a real broker: what scripts read, and what people are told when something is wrong."""

import json
import re
import signal
import socket

import pytest
from aiokafka import AIOKafkaProducer

from connectors.console.rows import write_row
from connectors.kafka.provisioning import TopicSpec, provision
from schemas.topics import VTEX_CURSORS
from schemas.vtex import Cursor
from tests.scenarios.front_door.commands import CommandLine

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]
KEYS = ("--vtex-app-key", "k", "--vtex-app-token", "t", "--hellotext-business", "BID1", "--hellotext-token", "t")


@pytest.fixture
def run(empty_kafka, tmp_path):
    """A shell whose broker has no topics yet."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": empty_kafka.bootstrap_servers, "TOPIC_PREFIX": empty_kafka.topic_prefix}
    return CommandLine(tmp_path, environment)


def test_topics_are_created_once_and_never_repartitioned(run):
    """Repeating changes nothing; another number of partitions is refused with what to do."""
    first = run("topics", "create", "--partitions", "4", "--json")
    again = run("topics", "create", "--partitions", "4", "--json")
    other = run("topics", "create", "--partitions", "5")

    assert (first.code, again.code, other.code) == (0, 0, 1)
    assert (len(first.json["created"]), again.json["created"], again.json["changed"]) == (20, [], [])
    assert "docs/scaling.md" in other.err
    assert "Traceback" not in other.err


def test_a_store_is_connected_looked_at_chosen_for_paused_and_removed(run):
    """Everything that a script reads is JSON, and no secret is shown after the connection."""
    connected = run(
        "connect", "--vtex-account", "acme", "--vtex-url", "http://127.0.0.1:9", "--hellotext-url",
        "http://127.0.0.1:9/v1", *KEYS, "--country", "BR", "--origin", "https://shop.example", "--yes", "--json",
    )  # fmt: skip
    assert connected.code == 0, connected.err
    assert {check["verdict"] for check in connected.json["checks"]} == {"unknown"}
    secret = connected.json["server_token"]

    assert run("stores", "set", "acme", "--price", "whatsapp=0.21BRL", "--rate", "EUR=6.10@2026-11-01").code == 0
    fields = (
        "--vtex-field",
        "loyalty",
        "--vtex-field",
        "vip",
        "--opt-in-field",
        "isWhatsappOptIn",
        "--opt-in-entity",
        "nl",
    )
    assert run("stores", "set", "acme", *fields, "--null-erases", "phone", "--calls-per-minute", "3000").code == 0
    assert run("stores", "set", "acme", "--vtex-field", "no field").code == 2
    assert run("stores", "show", "acme", "--json").json["vtex"]["opt_in_entity"] == "NL"
    assert run("stores", "set", "acme", "--opt-in-entity", "CL").code == 0
    reach = ("--no-forward", "--messages-by", "infobip", "--hellotext-property", "custom.loyalty=p1", "--erase-deleted")
    assert run("stores", "set", "acme", *reach).code == 0
    without = run("stores", "set", "acme", "--whatsapp-sender", "+55 11 98765-4321")
    assert (without.code, "has no Infobip" in without.err) == (1, True)
    assert run("stores", "set", "acme", "--whatsapp-sender", "our number").code == 2
    infobip = ("--infobip-url", "http://127.0.0.1:9", "--infobip-key", "k", "--no-check", "--yes")
    assert run("connect", "--store", "acme", "--vtex-account", "acme", *KEYS, *infobip).code == 0
    sender = ("--whatsapp-sender", "+55 11 98765-4321", "--sms-sender", "Acme", "--infobip-attribute", "document=taxId")
    assert run("stores", "set", "acme", *sender).code == 0
    assert run("stores", "pause", "acme").code == 0
    shown = run("stores", "show", "acme", "--json")

    assert (shown.json["paused"], shown.json["prices"][0]["price_micros"], shown.json["rates"][0]["rate"]) == (
        True, 210_000, "6.10"
    )  # fmt: skip
    read = {name: shown.json["vtex"][name] for name in ("custom_fields", "opt_in_field", "nulls_erase")}
    assert read == {"custom_fields": ["loyalty", "vip"], "opt_in_field": "isWhatsappOptIn", "nulls_erase": ["phone"]}
    assert (shown.json["vtex"]["calls_per_minute"], shown.json["vtex"]["opt_in_entity"]) == (3000, None)
    assert (shown.json["forward"], shown.json["erase_deleted"], shown.json["messages_by"]) == (False, True, "infobip")
    assert shown.json["hellotext"]["properties"] == {"custom.loyalty": "p1"}
    reached = shown.json["infobip"]
    assert (reached["whatsapp_sender"], reached["sms_sender"]) == ("+5511987654321", "Acme")
    assert reached["attributes"] == {"document": "taxId"}
    assert secret not in shown.out
    assert "token" not in shown.json["vtex"]
    assert run("stores", "remove", "acme", "--yes").code == 0
    assert run("stores", "list", "--json").json == []
    gone = run("stores", "show", "acme")
    assert (gone.code, "no store 'acme'" in gone.err) == (1, True)


def test_a_renewal_that_nobody_could_check_keeps_the_connection(run):
    """A first connection goes through; the same store again only where somebody says so, asked or by a flag."""
    away = ("--vtex-account", "acme", "--vtex-url", "http://127.0.0.1:9", "--hellotext-url", "http://127.0.0.1:9/v1")
    assert run("connect", *away, *KEYS, "--yes", "--json").code == 0
    before = run("stores", "show", "acme", "--json").json
    other = ("--vtex-app-key", "k2", *KEYS[2:], "--yes")

    refused = run("connect", *away, *other, "--json")

    assert refused.code == 1
    assert "store acme keeps its connection" in refused.err
    assert "--force" in refused.err
    assert run("stores", "show", "acme", "--json").json == before
    assert run("connect", *away, *other, "--force").code == 0
    assert run("stores", "show", "acme", "--json").json["vtex"]["app_key"] == "k2"
    assert run("connect", *away, *KEYS, "--no-check", "--yes").code == 0
    assert run("stores", "show", "acme", "--json").json == before


async def test_the_terminal_shows_how_far_a_store_is_read(run, empty_kafka):
    """Done, in total, a second, time left; --follow ends when everything was read; other cursors are none of it."""
    assert run("stores", "progress").out.startswith("Nothing is read yet")
    run("connect", "--vtex-account", "acme", *KEYS, "--country", "BR", "--yes", "--no-check", "--json")
    assert run("stores", "progress", "acme").out.startswith("Nothing is read yet")
    rows = {
        "customers.backfill": {
            "done": 250_000,
            "total": 1_000_000,
            "rate": 12_500.4,
            "left_s": 60.0,
            "finished": False,
        },
        "orders.backfill": {"done": 40, "total": 40, "rate": 9.0, "left_s": 0, "finished": True},
        "customers": {"settled": 1},
    }
    for resource, position in rows.items():
        row = Cursor(store="acme", resource=resource, position=position, updated_at="2026-11-26T10:00:00Z")
        await write_row(empty_kafka, VTEX_CURSORS, "acme", (resource,), row)

    shown, told = run("stores", "progress", "acme"), run("stores", "progress", "--json").json

    for text in ("customers.backfill", "250,000", "1,000,000", "12,500", "0:01:00", "orders.backfill", "done"):
        assert text in shown.out, shown.out
    assert [(row["reading"], row["left_s"]) for row in told] == [("customers.backfill", 60.0), ("orders.backfill", 0.0)]
    rests = Cursor(
        store="acme", resource="status", position={"rests_until": "2100-01-01T00:00:00+00:00"},
        updated_at="2026-11-26T10:00:00Z",
    )  # fmt: skip
    await write_row(empty_kafka, VTEX_CURSORS, "acme", ("status",), rests)
    resting, told = run("stores", "progress"), run("stores", "progress", "--json").json
    assert re.search(
        r" VTEX again at 00:00:00 UTC, in \d+ s .* done; VTEX again at 00:00:00 UTC", resting.out, re.DOTALL
    )
    assert {row["tries_again"] for row in told} == {"2100-01-01T00:00:00+00:00"}
    done = {**rows["customers.backfill"], "done": 1_000_000, "finished": True}
    row = Cursor(store="acme", resource="customers.backfill", position=done, updated_at="2026-11-26T10:01:00Z")
    await write_row(empty_kafka, VTEX_CURSORS, "acme", ("customers.backfill",), row)
    assert run("stores", "progress", "acme", "--follow").code == 0
    lines = run("stores", "progress", "acme", "--follow", "--json").out.splitlines()
    assert [json.loads(line)[0]["store"] for line in lines] == ["acme"]
    assert "no store 'beta'" in run("stores", "progress", "beta").err


async def test_what_is_wrong_with_a_store_is_told(run, empty_kafka):
    """By the list, by the store's own page, and by doctor with exit code 1; a paused store is not read at all."""
    run("connect", "--vtex-account", "acme", *KEYS, "--country", "BR", "--yes", "--no-check", "--json")
    problems = {"orders": "the key of account acme may not read orders (403)", "addresses": "VTEX is away"}
    row = Cursor(store="acme", resource="status", position={"problems": problems}, updated_at="2026-11-26T10:00:00Z")
    await write_row(empty_kafka, VTEX_CURSORS, "acme", ("status",), row)

    listed, shown = run("stores", "list"), run("stores", "show", "acme")
    doctor = run("doctor")

    assert "needs attention" in listed.out, listed.err
    assert "problems.2.reason          the key of account acme may not read orders (403)" in shown.out
    assert "vtex.account               acme" in shown.out
    assert "{" not in shown.out
    assert run("stores", "list", "--json").json[0]["problems"][0] == {
        "reader": "addresses", "reason": "VTEX is away", "since": "2026-11-26T10:00:00+00:00", "tries_again": None
    }  # fmt: skip
    assert (doctor.code, "acme orders" in doctor.out, "(since 2026-11-26 10:00 UTC)" in doctor.out) == (1, True, True)
    note = row.model_copy(update={"position": {"problems": {"addresses": "no AD"}, "notes": ["addresses"]}})
    await write_row(empty_kafka, VTEX_CURSORS, "acme", ("status",), note)
    assert "following" in run("stores", "list").out
    assert "! acme addresses" in run("doctor").out
    run("stores", "pause", "acme")
    assert run("stores", "list", "--json").json[0]["state"] == "paused"
    assert run("doctor").code == 0
    asked = run("stores", "remove", "acme", "--json")
    assert (asked.code, asked.out.strip(), "Disconnect acme?" in asked.err) == (1, "", True)  # no script reads it


async def test_a_destination_that_takes_nothing_is_told(run, empty_kafka):
    """By the list and the store's own page: since when, why, what to do, and when it is tried again."""
    run("connect", "--vtex-account", "acme", *KEYS, "--country", "BR", "--yes", "--no-check", "--json")
    assert run("stores", "show", "acme", "--json").json["destinations"] == []
    gate = {"reason": "401: connect the store again", "access": "", "customer": "c1", "retry_at": 4_102_444_800_000}
    row = {
        "count": 1, "options": "", "sweeps": {}, "under_way": {}, "gates": {"hellotext": gate, "infobip": gate},
        "troubles": {"hellotext": {"reason": "401", "since": 1_795_687_200_000}},
    }  # fmt: skip
    changelog = TopicSpec("streams.profiles.stores-changelog", {})
    await provision(empty_kafka, extra=[changelog])
    async with AIOKafkaProducer(**empty_kafka.options()) as producer:
        await producer.send_and_wait(empty_kafka.topic(changelog.name), json.dumps(row).encode(), b"acme")

    listed, shown = run("stores", "list"), run("stores", "show", "acme")

    assert "needs attention" in listed.out, listed.err
    why = "401: connect the store again; tried again at 00:00:00 UTC, in "
    assert f"acme: Hellotext is closed since 2026-11-26 10:00 UTC: {why}" in listed.out
    assert "destinations.1.since       2026-11-26T10:00:00+00:00\n" in shown.out, shown.err
    assert run("stores", "list", "--json").json[0]["destinations"] == [{
        "destination": "hellotext", "state": "closed", "reason": "401: connect the store again",
        "since": "2026-11-26T10:00:00+00:00", "tries_again": "2100-01-01T00:00:00+00:00",
    }]  # fmt: skip


def test_an_installation_without_anything_is_told_so(run):
    """Empty figures, an empty balance and no letters are no errors; doctor says what comes next."""
    assert run("kpis", "show", "--json").json == []
    audited = run("audit", "--json")
    assert (audited.code, audited.json["balanced"], audited.json["stores"]) == (0, True, {})
    assert run("dead-letters", "list", "--json").json == []
    doctor = run("doctor", "--json")
    states = {finding["about"]: finding["state"] for finding in doctor.json}
    assert (doctor.code, states["topics"], states["stores"], states["workers"]) == (0, "ok", "warning", "warning")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("connect", "--vtex-account", "acme", "--yes"), 2, "--vtex-app-key: must be given"),
        (("connect", "--vtex-account", "a b!", *KEYS, "--yes"), 2, "account's name"),
        (("connect", "--vtex-account", "acme", *KEYS, "--currency", "XYZ", "--yes", "--no-check"), 2, "ISO 4217"),
        (("stores", "set", "acme"), 2, "nothing to set"),
        (("topics", "read", "nowhere"), 2, "there is no topic"),
        (("kpis", "sql", "select 1 from nowhere"), 2, "no such table"),
        (("kpis", "explain", "acme", "c"), 1, "no store 'acme'"),
        (("messages", "send", "--store", "acme", "--to", "1", "--text", "x"), 1, "no store 'acme'"),
        (("no-such-command",), 2, "No such command"),
    ],
)
def test_wrong_use_is_one_clear_message(run, arguments, code, told):
    """With the exit code that DESIGN section 9 says, and never a traceback."""
    ran = run(*arguments)

    assert (ran.code, told in ran.err, "Traceback" in ran.err) == (code, True, False), ran.err


def test_a_broker_that_is_not_there_is_named(tmp_path):
    """Also where none is given and none runs here."""
    nowhere = CommandLine(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})("doctor")
    none = CommandLine(tmp_path, {})("kpis", "show")

    assert (nowhere.code, "127.0.0.1:9" in nowhere.out) == (1, True)
    assert (none.code, "hellotext-vtex up" in none.err) == (1, True)


def test_a_port_that_is_taken_is_named(run):
    """The collector and the broker say which, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        collector = run("collector", COLLECTOR_PORT=str(port))
        broker = run("broker", "--port", str(port))

    assert (collector.code, str(port) in collector.err, "COLLECTOR_PORT" in collector.err) == (1, True, True)
    assert (broker.code, str(port) in broker.err) == (1, True)


@pytest.mark.parametrize("name", ["poller", "collector", "worker", "console"])
def test_processes_say_when_they_are_ready_and_stop_when_told(run, name):
    """One line of JSON on standard output; SIGTERM ends them with exit code 0."""
    process = run.start(name, "--json", COLLECTOR_PORT="0", CONSOLE_PORT="0")
    line = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert json.loads(line)["ready"] == name, err
    assert process.returncode == 0, err


def test_a_key_of_another_installation_is_refused(run):
    """A second folder makes its own key: its poller must not take stores that it cannot open."""
    keys = (
        "--vtex-account",
        "acme",
        "--vtex-url",
        "http://127.0.0.1:9",
        "--hellotext-url",
        "http://127.0.0.1:9/v1",
        *KEYS,
    )
    assert run("connect", *keys, "--yes", "--no-check").code == 0

    other = run("poller", "--json", STATE_FOLDER=str(run.folder / "other"))

    assert (other.code, "SECRETS_KEY" in other.err, "Traceback" in other.err) == (1, True, False)
