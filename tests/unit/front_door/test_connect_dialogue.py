"""`connect` asks only for what it does not know: of a store that is connected a blank answer keeps what stands."""

import pytest
from typer.testing import CliRunner

from connectors.kafka.secrets import SecretBox
from hellotext_vtex.app import app
from hellotext_vtex.commands import connect
from hellotext_vtex.settings import Settings
from tests.stores import a_store

STANDS = {
    "store": "acme", "vtex_account": "acme", "vtex_url": "http://vtex.test", "vtex_app_key": "KEY",
    "vtex_app_token": "TOKEN", "hellotext_url": "http://hellotext.test/v1", "hellotext_business": "BID",
    "hellotext_token": "HELLO", "country": "CL", "timezone": "America/Punta_Arenas", "currency": "USD",
    "origins": (), "privacy": "gdpr", "infobip_url": None, "infobip_key": None,
}  # fmt: skip


@pytest.fixture
def talk(monkeypatch):
    """Answer the command's questions beside a store that is connected, or none; returns what it ended with."""
    box = SecretBox(SecretBox.generate_key())
    wanted = []

    def run(*arguments, answers="", stands=STANDS, there=True):
        async def standing(_, given):
            return stands

        async def made(_, request, __):
            wanted.append(request)
            sealed = {name: box.seal(name) for name in ("hash_secret", "hook_secret", "server_token")}
            return a_store(request.store, **sealed)

        monkeypatch.setattr(connect, "connected", lambda **_: Settings())
        monkeypatch.setattr(connect, "open_box", lambda _: box)
        monkeypatch.setattr(connect, "_standing", standing)
        monkeypatch.setattr(connect, "_connect", made)
        monkeypatch.setattr(connect, "_somebody_answers", lambda: there)
        return CliRunner().invoke(app, ["connect", "--no-check", *arguments], input=answers), wanted

    return run


def test_a_blank_answer_keeps_what_stands(talk):
    """Nor is it asked where the store is: it has a zone and a currency."""
    ran, (request,) = talk("--store", "acme", answers="\n\nNEW-TOKEN\n\n\ny\n")

    assert ran.exit_code == 0, ran.output
    assert ran.stderr.count("(blank keeps it)") == 5
    assert "TOKEN" not in ran.stderr.replace("App Token", "")
    assert (request.vtex_app_key, request.vtex_app_token.get_secret_value()) == ("KEY", "NEW-TOKEN")
    assert request.hellotext_token.get_secret_value() == "HELLO"
    assert (request.timezone, request.privacy, request.vtex_url) == ("America/Punta_Arenas", "gdpr", "http://vtex.test")


def test_an_account_that_is_asked_for_names_the_store(talk):
    """It is asked once, and the address that the store is read at stays."""
    ran, (request,) = talk(answers="https://acme.myvtex.com\n\n\n\n\ny\n")

    assert ran.exit_code == 0, ran.output
    assert ran.stderr.count("VTEX account") == 1
    assert (request.store, request.vtex_account, request.vtex_url) == ("acme", "acme", "http://vtex.test")


def test_of_a_new_store_everything_is_asked(talk):
    """The account first, by which it is known whether it is new; a blank answer is asked again."""
    ran, (request,) = talk(answers="acme\nK\n\nT\nB\nH\n\n\ny\n", stands={})

    assert ran.exit_code == 0, ran.output
    assert "blank keeps it" not in ran.stderr
    assert (request.vtex_app_token.get_secret_value(), request.currency) == ("T", "BRL")


@pytest.mark.parametrize(
    ("arguments", "stands", "missing"),
    [
        ((), {}, "--vtex-account, --vtex-app-key, --vtex-app-token, --hellotext-business, --hellotext-token"),
        (("--vtex-account", "acme"), {}, "--vtex-app-key, --vtex-app-token, --hellotext-business, --hellotext-token"),
        (("--store", "acme", "--vtex-app-token", "T"), STANDS, ""),
    ],
)
def test_where_nobody_answers_what_is_missing_is_named(talk, arguments, stands, missing):
    """And nothing is missing that the store has."""
    ran, wanted = talk(*arguments, answers="y\n", stands=stands, there=False)

    assert (ran.exit_code, bool(wanted)) == ((2, False) if missing else (0, True))
    assert (f"missing {missing}:" in ran.stderr) == bool(missing)
