"""Nobody is there to do it: the command says so, the request stands, and looking changes nothing."""

import pytest

from tests.scenarios.front_door.commands import CommandLine

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]
KEYS = ("--vtex-app-key", "k", "--vtex-app-token", "t", "--hellotext-business", "BID1", "--hellotext-token", "t")


def test_a_request_waits_for_a_worker(empty_kafka, tmp_path):
    """Exit code 1 and what to do; nothing that was given is shown or written."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": empty_kafka.bootstrap_servers, "TOPIC_PREFIX": empty_kafka.topic_prefix}
    run = CommandLine(tmp_path, environment)
    connected = run("connect", "--vtex-account", "acme", *KEYS, "--country", "BR", "--yes", "--no-check", "--json")
    assert connected.code == 0, connected.err
    who = ("--store", "acme", "--email", "ana@shop.example")

    nobody = run("forget", "--store", "acme", "--email", "-", "--check", "--json", stdin="ana@shop.example\n")
    declined = run("forget", *who, stdin="n\n")
    asked = run("forget", *who, "--phone", "11 98765-4321", "--yes", "--timeout", "1", "--json")
    requests = run("topics", "read", "privacy.requests")
    unknown = run("forget", "--store", "bela", "--email", "ana@shop.example", "--yes")
    odd = run("forget", "--store", "acme", "--phone", "call me", "--yes")

    assert (nobody.code, nobody.json["complete"], nobody.json["places"]) == (0, True, [])
    assert (declined.code, "customers 0" in declined.out, "Erase all of it?" in declined.err) == (1, True, True)
    assert requests.out.count('"action": "forget"') == 1
    assert (asked.code, "no worker has taken the request" in asked.json["waited"]) == (1, True)
    assert not {"ana@", "98765"} & {part for part in ("ana@", "98765") if part in requests.out + asked.out + asked.err}
    assert (unknown.code, "no store 'bela'" in unknown.err) == (1, True)
    assert (odd.code, "call me" in odd.err, "+5511987654321" in odd.err) == (2, False, True)
