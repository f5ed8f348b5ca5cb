"""What the agent makes of what pages told (issue 7, item 4)."""

import pytest

from schemas.clock import to_ms
from schemas.personal import hash_value
from streams.tracking_rules.device import classify
from tests.unit.tracking.conftest import NOW, PHONE, SECRET, told

VTEX_ITEMS = [
    {"quantity": 1, "price": {"amount": 8990, "currency": "BRL"}, "product": {"reference": "1", "source": "vtex"}}
]


class TestOrigin:
    @pytest.mark.parametrize("session", ["undefined", "null", "", None])
    async def test_no_session_is_none(self, agent, page, session):
        """Whatever the client writes when it has none (A6.1)."""
        (event,) = await agent.feed(page(session=session))

        assert "session" not in event

    async def test_a_short_links_session_passes(self, agent, page):
        """Sessions need not be UUIDs (A6.2)."""
        (event,) = await agent.feed(page(session="SHORTLINK1"))

        assert event["session"] == "SHORTLINK1"

    async def test_a_lost_session_is_found_in_the_address(self, agent, page):
        """The link's own `hello_session` beats what the page has (A5)."""
        (event,) = await agent.feed(
            page(session="undefined", page={"url": "https://shop.example/?hello_session=SHORT2&x=1"})
        )

        assert event["session"] == "SHORT2"

    async def test_the_campaign_is_told_in_one_form(self, agent, page):
        """Source and medium in lower case; a campaign's id keeps its letters."""
        (event,) = await agent.feed(page(utm_params={"source": " HelloText ", "medium": "SMS", "campaign": "Cx1"}))

        assert event["utm"] == {"source": "hellotext", "medium": "sms", "campaign": "Cx1"}

    async def test_old_clients_leave_the_campaign_in_the_address(self, agent):
        """Up to 2.1.3 there are no `utm_params` (A3.1)."""
        url = "https://shop.example/p?utm_source=hellotext&utm_medium=whatsapp&utm_campaign=C9&gclid=x"
        (event,) = await agent.feed(told({"session": "S1", "action": "page.viewed", "url": url}))

        assert event["utm"] == {"source": "hellotext", "medium": "whatsapp", "campaign": "C9"}
        assert event["landing"]["campaign"] == "C9"
        assert event["page"] == {"url": url, "path": "/p"}

    async def test_what_the_client_says_beats_the_address(self, agent, page):
        """The cookie is the last visit that had both source and medium; the address may have less."""
        (event,) = await agent.feed(
            page(utm_params={"source": "hellotext", "campaign": "C1"}, page={"url": "https://s.example/?utm_source=google"})
        )  # fmt: skip

        assert event["utm"]["source"] == "hellotext"

    @pytest.mark.parametrize(
        ("referrer", "kept"),
        [
            ("https://www.google.com/", "https://www.google.com/"),
            ("https://shop.example/previous", None),
            ("HTTPS://SHOP.example", None),
            ("", None),
        ],
    )
    async def test_the_shop_is_not_its_own_referrer(self, agent, page, referrer, kept):
        """Only who sent the visitor to the shop is one."""
        (event,) = await agent.feed(page(page={"url": "https://shop.example/x", "referrer": referrer}))

        assert event["page"].get("referrer") == kept

    async def test_a_page_without_an_address_is_as_it_was_told(self, agent, page):
        """There is no path to be read, and no shop to compare a referrer with."""
        told = {"title": "Shoes", "referrer": "https://x.example/"}
        (event,) = await agent.feed(page(page=told))

        assert event["page"] == told

    async def test_no_personal_value_is_in_an_address(self, agent, page):
        """The collector took them out; the agent brings none back."""
        (event,) = await agent.feed(
            page(page={"url": "https://shop.example/?email=ana%40example.com&q=shoe", "referrer": "https://x.example/?e=ana@example.com"})
        )  # fmt: skip

        digest = hash_value(SECRET, "email", "ana@example.com")
        assert event["page"]["url"] == f"https://shop.example/?email=email:{digest}&q=shoe"
        assert "ana" not in event["page"]["referrer"]


class TestTime:
    @pytest.mark.parametrize(
        ("tracked", "at", "impossible"),
        [
            (None, 0, False),
            (-60_000, -60_000, False),
            (5_000, 0, True),
            (-29 * 86_400_000, -29 * 86_400_000, False),
            (-31 * 86_400_000, 0, True),
        ],
    )
    async def test_is_bounded_by_the_receipt(self, agent, page, tracked, at, impossible):
        """The future is impossible, and so is a browser's queue of 31 days."""
        when = None if tracked is None else (NOW + tracked) / 1000
        (event,) = await agent.feed(page(tracked_at=when))

        assert event.get("at_received", False) == impossible
        assert agent.envelopes[0]["time"] == event["at"]
        assert to_ms(event["at"]) - NOW == at

    async def test_a_back_end_has_a_past(self, agent):
        """What a shop imports keeps its time."""
        (event,) = await agent.feed(
            told({"action": "refund.received", "tracked_at": "2025-01-02T03:04:05+01:00"}, server=True)
        )

        assert event["at"] == "2025-01-02T02:04:05.000Z"
        assert "at_received" not in event


class TestAmounts:
    @pytest.mark.parametrize(
        ("body", "amount"),
        [
            ({"amount": 89.9, "currency": "BRL"}, (8990, "BRL")),
            ({"amount": "89.90", "currency": "brl"}, (8990, "BRL")),
            ({"amount": 89.9}, (8990, "BRL")),
            ({"amount": 1500, "currency": "CLP"}, (1500, "CLP")),
            ({"amount": "1.2345", "currency": "KWD"}, (1234, "KWD")),
            ({"amount": 10, "currency": "XXQ"}, None),
            ({"amount": 10**17, "currency": "BRL"}, None),
            ({}, None),
            ({"object_parameters": {"amount": 17980, "currency": "BRL", "items": VTEX_ITEMS}}, (17980, "BRL")),
            ({"object_parameters": {"amount": 17980, "items": VTEX_ITEMS}}, (17980, "BRL")),
            ({"object_parameters": {"amount": 179800, "currency": "CLP", "items": VTEX_ITEMS}}, (1798, "CLP")),
            ({"object_parameters": {"amount": 179.8, "currency": "BRL", "items": VTEX_ITEMS}}, (17980, "BRL")),
            ({"object_parameters": {"amount": 179.8, "currency": "BRL", "items": []}}, (17980, "BRL")),
            ({"object_parameters": {"amount": {"amount": 5, "currency": "USD"}}}, (500, "USD")),
            ({"object_parameters": {"amount": 5, "currency": " "}}, (500, "BRL")),
            ({"object_parameters": {"amount": 5, "currency": " usd "}}, (500, "USD")),
            ({"object_parameters": {"amount": True, "items": [1, "x"]}}, None),
            ({"object_parameters": {"amount": "1e999999999", "items": VTEX_ITEMS}}, None),
            ({"object_parameters": {"amount": "NaN", "items": VTEX_ITEMS}}, None),
            ({"object_parameters": ["amount"]}, None),
            ({"amount": 1, "currency": "BRL", "object_parameters": {"amount": 999, "items": VTEX_ITEMS}}, (100, "BRL")),
        ],
    )
    async def test_in_minor_units(self, agent, page, body, amount):
        """Major units everywhere, but in what VTEX's checkout helper copies from the order form (A6.5)."""
        (event,) = await agent.feed(page("cart.added", **body))

        found = (event["amount_minor"], event["amount_currency"]) if "amount_minor" in event else None
        assert found == amount


class TestDevice:
    @pytest.mark.parametrize(
        ("agent_name", "kind"),
        [
            (PHONE, "mobile"),
            ("Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 Chrome/120 Safari/537.36", "tablet"),
            ("Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "tablet"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/122 Safari/537.36", "desktop"),
            ("Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36", "other"),
            ("Opera/9.80 (Android; Opera Mini/77.0/191; U; pt) Presto/2.12", "mobile"),
            (None, "other"),
        ],
    )
    async def test_kind(self, agent, page, agent_name, kind):
        """What kind of device the visitor holds."""
        (event,) = await agent.feed(page(agent=agent_name))

        assert event["device"]["kind"] == kind

    async def test_apps_and_back_ends(self, agent):
        """An app is an app; a shop's back end is nobody's device, and no bot for being a library."""
        app = told({"session": "S", "action": "app.opened", "app_parameters": {}}, agent="Shop/1 CFNetwork/1408")
        server = told({"action": "refund.received"}, agent="python-requests/2.31", server=True)
        await agent.feed(app, server)

        assert [(event["sent_by"], event["device"]["kind"]) for event in agent.events] == [
            ("app", "app"),
            ("server", "other"),
        ]

    @pytest.mark.parametrize("device", [{}, {"device": None}, {"device": {}}])
    def test_whoever_says_nothing_of_a_device_has_some_other(self, device):
        """Older records have none."""
        classify(data := dict(device))
        assert data == {"device": {"kind": "other"}}


class TestConsent:
    @pytest.mark.parametrize(
        ("mode", "choice", "kept"),
        [
            ("none", None, True), ("none", "denied", False), ("lgpd", None, True), ("lgpd", "denied", False),
            ("gdpr", None, False), ("gdpr", "granted", True), ("gdpr", "denied", False),
        ],
    )  # fmt: skip
    async def test_by_the_stores_mode(self, make_agent, mode, choice, kept):
        """Without consent the event has its fate, and nothing else."""
        agent = make_agent(privacy=mode)
        await agent.feed(told({"session": "S1", "action": "page.viewed", "consent": choice}, privacy=mode))

        assert len(agent.events) == kept
        assert agent.reasons == ([] if kept else ["consent"])
        assert all("S1" not in str(row) for row in agent.shard.fates()) or kept

    async def test_a_mode_chosen_later_holds_for_what_waits(self, make_agent):
        """An event that came under `none` is not counted under `gdpr`."""
        agent = make_agent(privacy="gdpr")
        await agent.feed(told({"session": "S1", "action": "page.viewed"}, privacy="none"))

        assert agent.reasons == ["consent"]

    async def test_what_was_kept_bare_is_filtered_in_any_mode(self, agent):
        """The collector had no right to keep more: a mode changed since gives none."""
        await agent.feed(told({"session": "S1", "action": "page.viewed"}, privacy="gdpr"))

        assert agent.reasons == ["consent"]

    async def test_consent_given_later_counts(self, agent, page):
        """The refused event left no trace that would make the next one a repetition."""
        await agent.feed(page(event_id="e", consent="denied"))
        await agent.feed(page(event_id="e", consent="granted"))

        assert agent.shard.fates() == {"filtered": 1, "counted": 1}
