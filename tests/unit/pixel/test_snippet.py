"""The snippets that the wizard shows, and whether they work on a live page."""

import pytest

from connectors.pixel.live_page import LivePage, check_page
from connectors.pixel.snippet import hooks_for, snippets_for
from schemas.stores import HellotextAccess
from tests.stores import a_store

COLLECTOR = "https://collect.shop.example"
STORE = a_store()


def page(html: str, *, url: str = "https://shop.example/", status: int = 200, **headers: str) -> LivePage:
    """What the shop answered."""
    return LivePage(url, status, {name.replace("_", "-"): value for name, value in headers.items()}, html)


def verdicts(live: LivePage, store=STORE, collector: str = COLLECTOR) -> dict[str, str]:
    """The verdict of each question."""
    return {finding.subject: finding.verdict for finding in check_page(live, store, collector)}


PASTED = f"<html><head>{snippets_for(STORE, COLLECTOR).pixel}</head></html>"
OTHER_CLIENT = '<script src="https://unpkg.com/@hellotext/hellotext@latest"></script>'
META_POLICY = '<meta http-equiv="Content-Security-Policy" content="connect-src none">'


def test_the_snippet_is_one_line_for_this_store():
    """It names the collector and the public business id; a trailing slash of the address does not double."""
    snippets = snippets_for(STORE, COLLECTOR + "/")

    assert snippets.pixel == (
        '<script async src="https://collect.shop.example/v1/pixel.js" data-business="BID-acme"></script>'
    )
    assert 'script.src = "https://collect.shop.example/v1/checkout.js";' in snippets.checkout
    assert 'script.dataset.business = "BID-acme";' in snippets.checkout
    assert snippets.client == ('Hellotext.initialize("BID-acme", { apiRoot: "https://collect.shop.example/v1" });')


def test_a_store_that_asks_for_consent_gets_silent_snippets():
    """Under gdpr nothing is told before consent, in the shop and in the checkout."""
    snippets = snippets_for(a_store(privacy="gdpr"), COLLECTOR)

    assert 'data-consent="required"' in snippets.pixel
    assert 'script.dataset.consent = "required";' in snippets.checkout


def test_no_business_id_can_end_the_script():
    """Whatever somebody typed as an id stays text."""
    evil = a_store(hellotext=HellotextAccess(url="http://h/v1", business_id='"></script><b>', token="t"))
    snippets = snippets_for(evil, COLLECTOR)

    assert snippets.pixel.count("</script>") == 1
    assert "</script>" not in snippets.checkout + snippets.client


def test_hook_addresses_are_the_collectors_routes():
    """As docs/collector.md lists them; the secret is not part of them."""
    hooks = hooks_for(STORE, COLLECTOR)

    assert hooks.customers == f"{COLLECTOR}/v1/triggers/acme/customers"
    assert hooks.orders == f"{COLLECTOR}/v1/triggers/acme/orders"
    assert hooks.reports == f"{COLLECTOR}/v1/reports/infobip/acme"
    assert hooks_for(STORE, COLLECTOR, "s3cret").reports == f"{COLLECTOR}/v1/reports/infobip/acme?token=s3cret"


def test_the_pasted_snippet_is_found():
    """On a page without a policy, from any origin when the store names none."""
    assert verdicts(page(PASTED)) == {"script": "ok", "origin": "ok"}


@pytest.mark.parametrize(
    ("live", "subject", "verdict"),
    [
        (page("<html></html>"), "script", "failed"),
        (page("<script>gtm.start</script>"), "script", "unknown"),
        (page(PASTED + PASTED), "script", "failed"),
        (page(PASTED.replace("BID-acme", "other")), "script", "failed"),
        (page(PASTED.replace("collect.", "old.")), "script", "failed"),
        (page("", status=404), "page", "failed"),
        (page(PASTED + OTHER_CLIENT), "other client", "unknown"),
        (page(PASTED, content_security_policy="default-src 'self'"), "connect-src", "failed"),
        (page(PASTED, content_security_policy="script-src 'self' https://*.shop.example"), "script", "ok"),
        (page(META_POLICY + PASTED), "connect-src", "failed"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(live, subject, verdict):
    """Each mistake that a merchant makes has its own answer, with what to do."""
    findings = {finding.subject: finding for finding in check_page(live, STORE, COLLECTOR)}

    assert findings[subject].verdict == verdict
    assert bool(findings[subject].detail) == (verdict != "ok")


@pytest.mark.parametrize(
    ("policy", "subjects"),
    [
        ("", set()),
        ("default-src *", set()),
        ("default-src https:", set()),
        ("script-src collect.shop.example; connect-src https://collect.shop.example/", set()),
        ("script-src *.shop.example; connect-src 'self'", {"connect-src"}),
        ("img-src 'none'", set()),
        ("script-src collect.shop.example:443 https://collect.shop.example/v1/pixel.js", set()),
        ("script-src http://collect.shop.example:* ; connect-src https://collect.shop.example/v1/", set()),
        (
            "script-src https://collect.shop.example:8443; connect-src *.shop.example/other/",
            {"script-src", "connect-src"},
        ),
        ("default-src *, script-src 'none'", {"script-src"}),
    ],
)
def test_content_security_policies(policy, subjects):
    """A policy that would silence the pixel is found."""
    assert set(verdicts(page(PASTED, content_security_policy=policy))) - {"script", "origin"} == subjects


@pytest.mark.parametrize(
    ("nonce", "policy", "verdict"),
    [
        ("abC1", "script-src 'nonce-abC1'", None),
        ("abC1", "script-src 'nonce-abC1' 'strict-dynamic'", None),
        ("abC1", "script-src 'nonce-abc1'", "failed"),
        ("", "script-src 'nonce-abC1'", "failed"),
        ("", "script-src 'nonce-abC1' https://collect.shop.example", None),
        ("", "script-src 'nonce-abC1' https://collect.shop.example 'strict-dynamic'", "failed"),
        ("abC1", "script-src 'nonce-abC1', script-src 'self'", "failed"),
    ],
)
def test_a_nonce_lets_the_snippet_in(nonce, policy, verdict):
    """What the page's own nonce stands for needs no address; beside 'strict-dynamic' an address is worth nothing."""
    html = PASTED.replace("<script ", f'<script nonce="{nonce}" ')

    assert verdicts(page(html, content_security_policy=policy)).get("script-src") == verdict


@pytest.mark.parametrize("oddity", ['<script src="//[[host]]/a.js"></script>', "<![endof x]>", "<![CDATA[ <p> ]]>"])
def test_a_page_need_not_be_well_formed(oddity):
    """Templates that nobody filled in, sections of nobody's language: the snippet is found behind them."""
    assert verdicts(page(oddity + PASTED)) == {"script": "ok", "origin": "ok"}


def test_origins_and_mixed_content():
    """An origin that the store does not allow, and http under https, are found before visitors meet them."""
    strict = a_store(origins=("https://www.shop.example",))
    plain = snippets_for(STORE, "http://collect.shop.example").pixel

    assert verdicts(page(PASTED), strict)["origin"] == "failed"
    assert verdicts(page(PASTED, url="https://www.shop.example/p"), strict)["origin"] == "ok"
    assert verdicts(page(plain), collector="http://collect.shop.example")["https"] == "failed"
