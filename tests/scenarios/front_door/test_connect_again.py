"""Keys are renewed by connecting a store again, which keeps what is not given; its own secrets by `stores renew`."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from tests.scenarios.front_door.commands import CommandLine

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]
KEYS = ("--vtex-app-key", "k", "--vtex-app-token", "t", "--hellotext-business", "BID1", "--hellotext-token", "t")
KEY = SecretBox.generate_key().decode()
KEPT = ("vtex.url", "vtex.app_key", "hellotext.business_id", "infobip.url", "country", "timezone", "currency",
        "origins", "privacy")  # fmt: skip


@pytest.fixture
def run(kafka, tmp_path):
    """A shell in which a store of Chile is connected, with everything that can be chosen."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "TOPIC_PREFIX": kafka.topic_prefix, "SECRETS_KEY": KEY,
    }  # fmt: skip
    shell = CommandLine(tmp_path, environment)
    connected = shell(
        "connect", "--vtex-account", "bela", "--vtex-url", "http://127.0.0.1:9", *KEYS, "--country", "CL",
        "--timezone", "America/Punta_Arenas", "--privacy", "gdpr", "--origin", "https://bela.example",
        "--infobip-url", "https://x.api.infobip.com", "--infobip-key", "i", "--no-check", "--yes",
    )  # fmt: skip
    assert connected.code == 0, connected.err
    return shell


def _store(run: CommandLine) -> dict[str, object]:
    store = run("stores", "show", "bela", "--json").json
    return {name: _at(store, name) for name in KEPT}


def _at(row: dict[str, object], path: str) -> object:
    value: object = row
    for part in path.split("."):
        value = value[part] if isinstance(value, dict) else None
    return value


def test_a_new_token_alone_changes_nothing_else(run):
    """Neither the country and what hangs on it, nor the privacy mode, the origins, or Infobip."""
    before = _store(run)

    renewed = run("connect", "--store", "bela", "--vtex-app-token", "new", "--no-check", "--yes")

    assert renewed.code == 0, renewed.err
    assert _store(run) == before
    assert before["privacy"] == "gdpr"


def test_what_hangs_on_something_given_goes_with_it(run):
    """Another country brings its zone and currency, the account its own address; an empty one takes Infobip away."""
    again = run("connect", "--vtex-account", "bela", "--country", "MX", "--infobip-url", "", "--no-check", "--yes")

    assert again.code == 0, again.err
    store = _store(run)
    assert (store["country"], store["timezone"], store["currency"]) == ("MX", "America/Mexico_City", "MXN")
    assert store["vtex.url"] != "http://127.0.0.1:9"
    assert store["infobip.url"] is None
    assert store["origins"] == ["https://bela.example"]


async def test_a_stores_own_secrets_are_made_anew(run, kafka):
    """They are shown, those before are taken for some days more, and the secret of the hashes stays."""

    async def row():
        async with StoreDirectory(kafka) as directory:
            return directory.get("bela")

    before = await row()
    both = run("stores", "renew", "bela", "--hook-secret", "--server-token", "--old-for", "3", "--yes", "--json")
    after = await row()
    box = SecretBox(KEY)

    assert both.code == 0, both.err
    assert both.json["server_token"] == box.unseal(after.server_token) != box.unseal(before.server_token)
    assert both.json["reports_url"].endswith(f"?token={box.unseal(after.hook_secret)}")
    assert (after.hook_secret_before.secret, after.server_token_before.secret) == (
        before.hook_secret, before.server_token,
    )  # fmt: skip
    assert timedelta(days=2) < after.hook_secret_before.until - datetime.now(UTC) <= timedelta(days=3)
    assert after.hash_secret == before.hash_secret
    shown = run("stores", "show", "bela", "--json")
    assert list(shown.json["hook_secret_before"]) == ["until"]

    leaked = run("stores", "renew", "bela", "--server-token", "--old-for", "0", "--yes")
    assert box.unseal((await row()).server_token) in leaked.out
    assert "refused from now on" in leaked.out
    assert ((await row()).hook_secret, (await row()).server_token_before) == (after.hook_secret, None)
    assert run("stores", "renew", "bela", "--yes").code == 2
