"""From keys to a connected store: what was typed wrongly is said, what was typed secretly is never sent back."""

import re
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from connectors.console import wizard
from connectors.console.checks import LARGEST
from connectors.console.connect import BusinessTakenError
from connectors.console.drafts import Draft, Tickets
from connectors.console.request import ConnectionRequest
from schemas import topics
from tests.scenarios.console.shop_rows import row
from tests.stores import a_store
from tests.unit.console.conftest import Bench

TYPED = {
    "vtex_account": "https://acme.myvtex.com/", "vtex_app_key": "vtexappkey-acme-ABC",
    "vtex_app_token": "TOKEN-OF-VTEX",
    "hellotext_business": "BID-acme", "hellotext_token": "TOKEN-OF-HELLOTEXT", "country": "CL", "timezone": "",
    "currency": "", "origins": "https://www.acme.cl https://acme.cl", "privacy": "lgpd", "infobip_url": "",
    "infobip_key": "", "store": "", "vtex_url": "", "hellotext_url": "",
}  # fmt: skip
SECRETS = ("TOKEN-OF-VTEX", "TOKEN-OF-HELLOTEXT", "KEY-OF-INFOBIP")


def answering(rule: Callable[[httpx.Request], int]) -> httpx.AsyncClient:
    """A world outside that answers each call with the status that the rule says."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(rule(request), json={"authStatus": "Success"})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def revision(page: str) -> str:
    """What the review's form carries, so that what is connected is what it showed."""
    found = re.search(r'name="revision" value="([^"]+)"', page)
    assert found
    return found[1]


async def connect(bench: Bench) -> httpx.Response:
    """Press the review's button."""
    return await bench.post("/connect/review", action="connect", revision=revision(await bench.html("/connect/review")))


@pytest.fixture
def connected(monkeypatch):
    """Stands in for Kafka: the row that would be written reaches the read model at once."""
    written = []

    async def write(request: ConnectionRequest, connection, secrets):
        seal = secrets.seal
        stored = a_store(
            request.store, hook_secret=seal("HOOK-SECRET"), server_token=seal("SERVER-TOKEN"), hash_secret=seal("HASH"),
            origins=request.origins, privacy=request.privacy, country=request.country,
        )  # fmt: skip
        written.append(request)
        bench.put([row(topics.STORES, stored.store, value=stored)])
        return stored

    bench: Bench

    def use(given: Bench) -> list[ConnectionRequest]:
        nonlocal bench
        bench = given
        monkeypatch.setattr(wizard, "connect_store", write)
        return written

    return use


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("country", "XX", "&#39;XX&#39; is no country of ISO 3166-1: give its two letters"),
        ("timezone", "America/Sao Paulo", "&#39;America/Sao Paulo&#39; is no time zone: give America/Sao_Paulo"),
        ("currency", "BRZ", "&#39;BRZ&#39; is no currency of ISO 4217"),
        ("privacy", "some", "Input should be"),
        ("store", "Acme Shop", "Please use small letters, digits, - and _ only, such as acme."),
    ],
)
async def test_a_place_or_choice_that_is_none_is_told_at_its_field(make_bench, field, value, told):
    """And at no other: what would have come from a wrong country is nobody's mistake of its own."""
    answer = await make_bench().post("/connect", **{**TYPED, field: value})

    assert answer.status_code == 422
    assert re.search(f'<p class="error"[^>]*>{re.escape(told)}', answer.text)
    assert answer.text.count('class="error"') == 1


async def test_from_keys_to_a_connected_store(make_bench, connected):
    """Any address form, defaults of the country, verdicts, connection; secrets stand on the last page once."""
    bench = make_bench(collector_url="https://collect.acme.cl")
    written = connected(bench)
    bench.console.http = answering(lambda _: 200)

    answer = await bench.post("/connect", **TYPED)
    assert (answer.status_code, answer.headers["location"]) == (303, "/connect/review")
    assert re.search(r"httponly.*samesite=strict", answer.headers["set-cookie"], re.IGNORECASE)
    review = await bench.html("/connect/review")
    assert "Everything works" in review
    assert "America/Santiago" in review
    assert "CLP" in review
    assert not any(secret in review for secret in SECRETS)
    answer = await connect(bench)
    assert (answer.status_code, answer.headers["location"]) == (303, "/stores/acme/setup")
    assert (written[0].vtex_url, written[0].currency) == ("https://acme.vtexcommercestable.com.br", "CLP")

    page = await bench.html("/stores/acme/setup")
    assert page.count("HOOK-SECRET") >= 4
    assert "SERVER-TOKEN" in page
    assert "acme is connected" in page
    assert "https://collect.acme.cl/v1/triggers/acme/customers?token=HOOK-SECRET" in page
    assert "HASH" not in page
    assert not any(secret in page for secret in SECRETS)
    again = await bench.html("/stores/acme/setup")
    assert "HOOK-SECRET" not in again
    assert "SERVER-TOKEN" not in again
    assert "HOOK_SECRET" in again


async def test_secrets_are_shown_to_nobody_else(make_bench, connected):
    """Another browser, or another store's page, gets the page without them and does not use the ticket up."""
    bench = make_bench()
    connected(bench)
    bench.console.http = answering(lambda _: 200)
    bench.put([row(topics.STORES, "other", value=a_store("other"))])
    await bench.post("/connect", **TYPED)
    await connect(bench)

    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(bench.app), base_url=bench.http.base_url)
    assert "HOOK-SECRET" not in (await stranger.get("/stores/acme/setup")).text
    stranger.cookies.set("connected", "guessed")
    assert "HOOK-SECRET" not in (await stranger.get("/stores/acme/setup")).text
    await stranger.aclose()
    assert "HOOK-SECRET" not in await bench.html("/stores/other/setup")
    assert "HOOK-SECRET" in await bench.html("/stores/acme/setup")


async def test_a_missing_role_is_named_and_stops_the_connection(make_bench, connected):
    """A clear no is put right first, even when the form for connecting is sent by hand."""
    bench = make_bench()
    written = connected(bench)
    bench.console.http = answering(lambda request: 403 if "/api/oms" in request.url.path else 200)
    await bench.post("/connect", **TYPED)
    page = await bench.html("/connect/review")

    assert "OMS / OMS access / List Orders" in page
    assert 'value="connect"' not in page
    assert (await connect(bench)).status_code == 409
    assert written == []


async def test_what_could_not_be_found_out_stops_nobody(make_bench, connected):
    """A vendor that does not answer is not a no."""
    bench = make_bench()
    written = connected(bench)
    bench.console.http = answering(lambda _: 503)
    await bench.post("/connect", **TYPED)

    assert "Not everything could be found out" in await bench.html("/connect/review")
    assert (await connect(bench)).status_code == 303
    assert len(written) == 1


async def test_an_answer_without_end_is_not_read_to_its_end(make_bench):
    """The address may be anybody's: neither memory nor time is given for it without bound."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100:
            sent += 1
            yield b"x" * LARGEST

    bench = make_bench()
    bench.console.http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, content=endless()))
    )
    await bench.post("/connect", **TYPED)

    assert "did not answer (its answer does not end)" in await bench.html("/connect/review")
    assert sent < 20


async def test_mistakes_are_said_at_their_fields(make_bench):
    """What was typed stays, secrets wait on the server, and nobody is asked twice for them."""
    bench = make_bench()
    answer = await bench.post(
        "/connect", **{**TYPED, "vtex_account": "my shop!", "origins": "www.acme.cl", "hellotext_business": ""}
    )
    page = answer.text

    assert answer.status_code == 422
    assert page.count('aria-invalid="true"') == 3
    assert "Give the account" in page
    assert "Please fill this in." in page
    assert 'value="vtexappkey-acme-ABC"' in page
    assert page.count("Entered; leave blank to keep it") == 2
    assert not any(secret in page for secret in SECRETS)
    bench.console.http = answering(lambda _: 200)
    fixed = await bench.post("/connect", **{**TYPED, "vtex_app_token": "", "hellotext_token": ""})
    assert fixed.headers["location"] == "/connect/review"


@pytest.mark.parametrize(
    "field", ["vtex_app_key", "vtex_app_token", "hellotext_business", "hellotext_token", "infobip_key"]
)
async def test_what_was_copied_with_something_invisible_is_said(make_bench, field):
    """A zero-width space, which pages and chats put beside a key: no request can carry it, whoever answers."""
    typed = {**TYPED, "infobip_url": "https://x.api.infobip.com", "infobip_key": "KEY", field: "COPIED\u200b"}
    bench = make_bench()
    bench.console.http = answering(lambda _: 200)
    answer = await bench.post("/connect", **typed)

    assert answer.status_code == 422
    assert re.search(rf'<p class="error" id="{field}-hint">It has a blank or a character that no key has', answer.text)
    assert (await bench.post("/connect", **{**typed, field: " COPIED\n"})).status_code == 303


@pytest.mark.parametrize(
    "address", ["http://[::1", "https://shop.example:99999", "https://shop .example", "https://a\0"]
)
async def test_an_address_that_is_none_is_said(make_bench, address):
    """In words for people, at its field."""
    answer = await make_bench().post("/connect", **{**TYPED, "vtex_url": address})

    assert answer.status_code == 422
    assert '<p class="error" id="vtex_url-hint">Give an address that begins with https://' in answer.text


async def test_half_of_infobip_is_said(make_bench):
    """A base URL without a key opens the part and says what is missing; clearing the URL forgets the key."""
    bench = make_bench()
    answer = await bench.post("/connect", **{**TYPED, "infobip_url": "https://x.api.infobip.com"})
    assert "Infobip needs its base URL and its API key" in answer.text

    draft = Draft()
    draft.take({**TYPED, "infobip_url": "https://x.api.infobip.com", "infobip_key": "KEY-OF-INFOBIP"})
    draft.take(TYPED)
    assert wizard.read_request(draft)[0].infobip_key is None


async def test_a_business_that_is_taken_is_said(make_bench, monkeypatch):
    """And the draft is kept, so that it can be corrected."""

    async def refuse(*_):
        raise BusinessTakenError("business BID-acme is connected to store <other>")

    monkeypatch.setattr(wizard, "connect_store", refuse)
    bench = make_bench()
    bench.console.http = answering(lambda _: 200)
    await bench.post("/connect", **TYPED)
    answer = await connect(bench)

    assert answer.status_code == 409
    assert "connected to store &lt;other&gt;" in answer.text
    assert "Everything works" not in answer.text
    assert 'value="vtexappkey-acme-ABC"' in await bench.html("/connect")


async def test_a_store_that_is_connected_is_renewed(make_bench):
    """Which is said before it happens."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store())])
    bench.console.http = answering(lambda _: 200)
    await bench.post("/connect", **TYPED)

    assert "Store acme is connected already" in await bench.html("/connect/review")


async def test_steps_cannot_be_skipped(make_bench, connected):
    """Without a draft everything leads to the first step; a button pressed after it was lost says what happened."""
    bench = make_bench()
    answer = await bench.http.get("/connect/review")
    assert (answer.status_code, answer.headers["location"]) == (303, "/connect")

    answer = await bench.post("/connect/review", action="connect")
    assert answer.status_code == 409
    assert "Nothing was connected: what was typed is not here any more." in answer.text


async def test_a_draft_that_a_restart_has_lost_is_told_of(make_bench):
    """The console keeps drafts in memory only: nobody is to wonder why the form is empty."""
    bench = make_bench()
    bench.console.http = answering(lambda _: 200)
    await bench.post("/connect", **TYPED)
    bench.console.drafts.pop(bench.http.cookies[wizard.DRAFT])

    answer = await bench.http.get("/connect/review")
    assert answer.status_code == 409
    assert 'role="alert"' in answer.text
    assert "Please type it again" in answer.text
    assert wizard.DRAFT not in bench.http.cookies
    assert "Please type it again" not in await bench.html("/connect")


async def test_what_a_window_shows_is_what_it_connects(make_bench, connected):
    """Two windows of one browser share the draft: the one that is behind connects nothing, and shows the other."""
    bench = make_bench()
    written = connected(bench)
    bench.console.http = answering(lambda _: 200)
    await bench.post("/connect", **TYPED)
    shown = await bench.html("/connect/review")
    await bench.post("/connect", **{**TYPED, "store": "other"})
    answer = await bench.post("/connect/review", action="connect", revision=revision(shown))

    assert answer.status_code == 409
    assert "another window" in answer.text
    assert "Connect other" in answer.text
    assert written == []
    assert (await bench.post("/connect/review", action="connect", revision=revision(answer.text))).status_code == 303
    assert [request.store for request in written] == ["other"]


async def test_a_check_holds_for_what_it_was_asked_about(make_bench):
    """Not for what another window typed while it was under way."""
    bench = make_bench()
    draft = Draft()
    draft.take(TYPED)
    wanted = wizard.read_request(draft)[0]

    def meanwhile(_: httpx.Request) -> int:
        draft.take({**TYPED, "store": "other"})
        return 200

    bench.console.http = answering(meanwhile)
    await wizard._check(bench.console, draft, wanted)

    assert draft.report is None


async def test_an_account_that_does_not_exist_is_a_clear_no(make_bench):
    """VTEX's hosts answer 404 to everything then; that orders may be followed is not read out of it."""
    bench = make_bench()
    bench.console.http = answering(lambda request: 404 if "vtex" in request.url.host else 200)
    await bench.post("/connect", **TYPED)
    page = await bench.html("/connect/review")

    assert "There is no VTEX account acme at https://acme.vtexcommercestable.com.br" in page
    assert "follow orders" not in page
    assert 'value="connect"' not in page


def test_what_waits_is_bounded_in_number_and_time():
    """The oldest goes first; what nobody fetched in time is forgotten; a key opens one thing once."""
    now = [0.0]
    tickets = Tickets(lambda: now[0])
    keys = [tickets.put(f"ticket {number}") for number in range(Tickets.limit + 1)]

    assert tickets.get(keys[0]) is None
    assert tickets.pop(keys[1]) == "ticket 1"
    assert tickets.pop(keys[1]) is None
    now[0] = Tickets.seconds + 1
    assert tickets.get(keys[2]) is None
    assert tickets.get(None) is None


def test_secrets_do_not_show_in_a_draft():
    """Not even when one is printed."""
    draft = Draft()
    draft.take({**TYPED, "infobip_url": "https://x", "infobip_key": "KEY-OF-INFOBIP"})

    assert not any(secret in repr(draft) for secret in SECRETS)
