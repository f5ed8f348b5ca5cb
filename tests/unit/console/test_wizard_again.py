"""The wizard for a store that is connected: it starts from what stands, and a key that is left blank stays."""

import html
import re

import httpx
import pytest

from connectors.console import wizard
from connectors.console.again import AGAIN
from connectors.console.request import ConnectionRequest
from connectors.kafka.errors import WrongKey
from schemas import topics
from schemas.stores import InfobipAccess
from tests.scenarios.console.shop_rows import row
from tests.stores import a_store
from tests.unit.console.conftest import Bench

KEYS = ("OLD-APP-TOKEN", "OLD-HELLOTEXT", "OLD-INFOBIP")
OWN = ("HOOK-SECRET", "SERVER-TOKEN")
STANDS = {
    "country": "CL", "timezone": "America/Punta_Arenas", "currency": "USD", "privacy": "gdpr",
    "origins": ("https://acme.cl", "https://www.acme.cl"),
}  # fmt: skip


@pytest.fixture
def connected(monkeypatch, make_bench):
    """A console beside a store that is connected with everything, and vendors who note the keys that they are shown."""
    bench: Bench = make_bench()
    seal = bench.console.secrets.seal
    stored = a_store(
        "acme", **STANDS, hash_secret=seal("HASH"), hook_secret=seal(OWN[0]), server_token=seal(OWN[1]),
        vtex={"account": "acme", "url": "http://vtex.test/acme", "app_key": "OLD-KEY", "app_token": seal(KEYS[0])},
        hellotext={"url": "http://hellotext.test/v1", "business_id": "BID-acme", "token": seal(KEYS[1])},
        infobip=InfobipAccess(url="http://infobip.test", api_key=seal(KEYS[2])),
    )  # fmt: skip
    bench.put([row(topics.STORES, "acme", value=stored)])
    written: list[ConnectionRequest] = []
    shown: list[tuple[str, str]] = []

    async def standing(_, store):
        return stored if store == "acme" else None

    async def write(request, *_):
        written.append(request)
        return stored

    def answer(request: httpx.Request) -> httpx.Response:
        shown.append((request.url.host, f"{request.headers} {request.content!r}"))
        return httpx.Response(200, json={"authStatus": "Success"})

    monkeypatch.setattr(wizard, "standing", standing)
    monkeypatch.setattr(wizard, "connect_store", write)
    bench.console.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return bench, written, shown


def filled_in(page: str) -> dict[str, str]:
    """Return what a browser would send of the wizard's form as it stands."""
    form = page[page.index('<form method="post" action="/connect"') :]
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        found[attributes["name"]] = html.unescape(attributes.get("value", ""))
    for name, options in re.findall(r'<select id="\w+" name="(\w+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r"<option(?: value=\"(\w+)\")?[^>]* selected>([^<]*)", options)
        found[name] = (chosen[1] or chosen[2]) if chosen else ""
    return found


async def connect(bench: Bench) -> httpx.Response:
    """Press the review's button."""
    revision = re.search(r'name="revision" value="([^"]+)"', await bench.html("/connect/review"))
    assert revision
    return await bench.post("/connect/review", action="connect", revision=revision[1])


async def test_the_form_starts_from_what_stands_and_shows_no_key(connected):
    """Region, addresses and pages are there to be changed; keys may be left blank."""
    bench, _, _ = connected
    page = await bench.html("/stores/acme/connection")
    form = filled_in(page)

    assert {name: form[name] for name in ("country", "timezone", "currency", "privacy")} == {
        name: STANDS[name] for name in ("country", "timezone", "currency", "privacy")
    }
    assert form["origins"].split() == list(STANDS["origins"])
    assert (form["vtex_url"], form["infobip_url"]) == ("http://vtex.test/acme", "http://infobip.test")
    assert not any(key in page for key in (*KEYS, *OWN, "OLD-KEY"))
    assert page.count("Leave blank to keep it") == 4
    assert page.count(" required") == 2  # the account and the business


async def test_what_is_sent_as_it_stands_changes_nothing(connected):
    """Keys left blank are checked and stay; who did not type them is not shown the store's own."""
    bench, written, shown = connected
    answer = await bench.post("/connect", **filled_in(await bench.html("/stores/acme/connection")))
    assert answer.headers["location"] == "/connect/review"
    review = await bench.html("/connect/review")
    answer = await connect(bench)
    page = await bench.html(answer.headers["location"])

    (request,) = written
    assert {name: getattr(request, name) for name in STANDS} == STANDS
    assert (request.store, request.vtex_app_key, request.hellotext_business) == ("acme", "OLD-KEY", "BID-acme")
    keys = (request.vtex_app_token, request.hellotext_token, request.infobip_key)
    assert tuple(key.get_secret_value() for key in keys) == KEYS
    assert {host for host, _ in shown} == {"vtex.test", "hellotext.test", "infobip.test"}
    assert "GDPR: tracked only with consent" in review
    assert "acme is connected" in page
    assert not any(secret in text for text in (review, page) for secret in (*KEYS, *OWN))


@pytest.mark.parametrize(("field", "value"), [("timezone", "UTC"), ("currency", "HRK"), ("country", "AQ")])
async def test_what_the_form_does_not_offer_stands_all_the_same(connected, field, value):
    """A zone, a currency or a country that nobody would choose: it is kept, not taken for the country's own."""
    bench, _, _ = connected
    stored = bench.model.stores["acme"].connection.model_copy(update={field: value})
    bench.put([row(topics.STORES, "acme", value=stored)])

    assert filled_in(await bench.html("/stores/acme/connection"))[field] == value


async def test_whoever_types_the_keys_sees_the_stores_own(connected):
    """As at the first connection."""
    bench, written, _ = connected
    form = filled_in(await bench.html("/stores/acme/connection"))
    typed = {"vtex_app_key": "K", "vtex_app_token": "T", "hellotext_token": "H", "infobip_key": "I"}
    await bench.post("/connect", **{**form, **typed})
    page = await bench.html((await connect(bench)).headers["location"])

    assert written[0].vtex_app_token.get_secret_value() == "T"
    assert all(secret in page for secret in OWN)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"vtex_url": "http://evil.test"}, "vtex_app_token"),
        ({"vtex_account": "other", "vtex_url": ""}, "vtex_app_token"),
        ({"vtex_app_key": "ANOTHER"}, "vtex_app_token"),
        ({"hellotext_url": "http://evil.test/v1"}, "hellotext_token"),
        ({"infobip_url": "http://evil.test"}, "infobip_key"),
    ],
)
async def test_a_key_is_not_sent_where_nobody_gave_it_for(connected, changes, field):
    """Whoever may use the console would read it there."""
    bench, _, shown = connected
    answer = await bench.post("/connect", **{**filled_in(await bench.html("/stores/acme/connection")), **changes})

    assert answer.status_code == 422
    assert re.search(rf'id="{field}-hint">Please type it: the one that stands was given for another', answer.text)
    assert not re.search(rf'id="{field}"[^>]*Leave blank', answer.text)
    assert shown == []
    assert (await bench.http.get("/connect/review")).status_code == 409


async def test_infobip_is_taken_away_with_its_address(connected):
    """Its key does not stay behind."""
    bench, written, _ = connected
    await bench.post("/connect", **{**filled_in(await bench.html("/stores/acme/connection")), "infobip_url": ""})
    await connect(bench)

    assert (written[0].infobip_url, written[0].infobip_key) == (None, None)


async def test_an_empty_form_in_which_a_connected_store_is_named_starts_from_what_stands(connected):
    """What was typed is put into it, what the form said by itself is not: nothing is taken that nobody chose."""
    bench, written, shown = connected
    typed = {
        **filled_in(await bench.html("/connect")), "vtex_account": "https://acme.myvtex.com", "vtex_app_key": "NEW",
        "vtex_app_token": "NEW-TOKEN", "hellotext_business": "BID-acme", "hellotext_token": "NEW-HELLOTEXT",
    }  # fmt: skip
    assert (typed["country"], typed["privacy"]) == ("BR", "none")
    answer = await bench.post("/connect", **typed)
    form = filled_in(answer.text)

    assert answer.status_code == 422
    assert "Store acme is connected already." in answer.text
    assert shown == []
    assert (form[AGAIN], form["store"], form["vtex_app_key"]) == ("acme", "acme", "NEW")
    assert (form["country"], form["timezone"], form["privacy"]) == ("CL", "America/Punta_Arenas", "gdpr")
    await bench.post("/connect", **form)
    await connect(bench)
    assert written[0].vtex_app_token.get_secret_value() == "NEW-TOKEN"
    assert written[0].privacy == "gdpr"
    assert written[0].infobip_key.get_secret_value() == KEYS[2]


async def test_keys_typed_for_one_store_are_not_taken_for_another(connected):
    """The draft of a store that somebody was describing is left for that of this one."""
    bench, written, _ = connected
    other = {"vtex_account": "other", "vtex_app_key": "K", "vtex_app_token": "OF-OTHER", "hellotext_business": "",
             "hellotext_token": "OF-OTHER"}  # fmt: skip
    await bench.post("/connect", **{**filled_in(await bench.html("/connect")), **other})
    await bench.post("/connect", **filled_in(await bench.html("/stores/acme/connection")))
    await connect(bench)

    assert written[0].vtex_app_token.get_secret_value() == KEYS[0]
    page = await bench.html("/connect/another")
    assert filled_in(page)["vtex_account"] == ""


async def test_what_hinders_is_said_before_anything_is_checked(connected, monkeypatch):
    """Such as keys that another SECRETS_KEY has sealed."""
    bench, _, shown = connected

    async def refuse(*_):
        raise WrongKey("a store's secret does not open with this SECRETS_KEY")

    monkeypatch.setattr(wizard, "standing", refuse)
    answer = await bench.post("/connect", **filled_in(await bench.html("/stores/acme/connection")))

    assert answer.status_code == 422
    assert "does not open with this SECRETS_KEY" in html.unescape(answer.text)
    assert shown == []
    assert (await bench.http.get("/stores/nobody/connection")).status_code == 404
