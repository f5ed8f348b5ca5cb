"""Whether the snippet works on a live page, from what the shop answered for it. Pure: the caller fetches.

Sees what stands in the page's HTML. What a tag manager inserts is not there, so a missing script is `unknown` when the
page has one: then only a visit that arrives proves it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final, Literal
from urllib.parse import urljoin, urlsplit

from connectors.pixel.snippet import PIXEL_PATH
from schemas.stores import StoreConnection

Verdict = Literal["ok", "failed", "unknown"]

_OK: Final = 200
_POLICY: Final = "content-security-policy"
_PORTS: Final = {"http": "80", "https": "443"}
_OURS: Final = "/v1/"
_TAG_MANAGERS: Final = ("googletagmanager.com/gtm.js", "gtm.start", "tags.tiqcdn.com", "cdn.segment.com")
_OWN_CLIENT: Final = ("@hellotext/hellotext", "hellotext.js", "hellotext/dist")


@dataclass(frozen=True, slots=True)
class LivePage:
    """What a shop answered: the address after redirects, the status, the headers (names in lower case), the HTML."""

    url: str
    status: int
    headers: Mapping[str, str]
    html: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One question about the page and its answer; `detail` says what to do where it is not `ok`."""

    subject: str
    verdict: Verdict
    detail: str = ""


@dataclass
class _Scripts(HTMLParser):
    """Collects a page's scripts and the policies in its head."""

    scripts: list[dict[str, str]] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a script or a policy."""
        values = {name: value or "" for name, value in attrs}
        if tag == "script":
            self.scripts.append(values)
        elif tag == "meta" and values.get("http-equiv", "").lower() == _POLICY:
            self.policies.append(values.get("content", ""))

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """Take `<![...` for a comment, as browsers do; the library fails on what it does not know."""
        return self.parse_bogus_comment(i, report)


def check_page(page: LivePage, connection: StoreConnection, collector_url: str) -> tuple[Finding, ...]:
    """Return what is right and wrong about the snippet on a page of the store.

    Args:
        page: what the shop answered.
        connection: the store.
        collector_url: where browsers reach the collector.
    """
    if page.status != _OK:
        return (Finding("page", "failed", f"The page answered {page.status}: give an address that visitors see."),)
    parsed = _Scripts()
    parsed.feed(page.html)
    parsed.close()
    found = [_script(parsed, page, connection, collector_url)]
    found += _surroundings(parsed, page, connection, collector_url)
    return tuple(found)


def _script(parsed: _Scripts, page: LivePage, connection: StoreConnection, collector_url: str) -> Finding:
    ours = [tag for tag in parsed.scripts if _is_ours(tag)]
    if not ours:
        if any(mark in page.html for mark in _TAG_MANAGERS):
            return Finding(
                "script", "unknown",
                "pixel.js is not in the page's HTML. Where a tag manager inserts it, open it and look for the visit.",
            )  # fmt: skip
        return Finding("script", "failed", "pixel.js is not in the page: paste the snippet into its <head>.")
    if len(ours) > 1:
        return Finding("script", "failed", f"pixel.js stands in the page {len(ours)} times: keep one.")
    wanted, loaded = _origin(collector_url), _origin(urljoin(page.url, ours[0]["src"]))
    if loaded != wanted:
        return Finding("script", "failed", f"The page loads pixel.js from {loaded}, not from {wanted}: paste it anew.")
    if ours[0].get("data-business") != connection.hellotext.business_id:
        return Finding("script", "failed", "The snippet names another business id: paste this store's own.")
    return Finding("script", "ok")


def _surroundings(
    parsed: _Scripts, page: LivePage, connection: StoreConnection, collector_url: str
) -> Iterator[Finding]:
    origin = _origin(page.url)
    if connection.origins and origin not in {allowed.rstrip("/").lower() for allowed in connection.origins}:
        yield Finding("origin", "failed", f"The store does not allow {origin}: add it with connect --origin {origin}.")
    else:
        yield Finding("origin", "ok")
    if origin.startswith("https:") and not collector_url.startswith("https:"):
        yield Finding("https", "failed", "A page on https cannot call a collector on http: put TLS in front of it.")
    policies = [*page.headers.get(_POLICY, "").split(","), *parsed.policies]  # of several, each must allow it
    nonce = next((tag.get("nonce", "") for tag in parsed.scripts if _is_ours(tag)), "")
    detail = f"The page's Content-Security-Policy forbids the collector: add {_origin(collector_url)} to "
    if not all(_trusts(policy, _origin(collector_url), origin, nonce) for policy in policies):
        yield Finding("script-src", "failed", f"{detail}script-src, or the page's nonce to the snippet.")
    if not all(_allows(policy, "connect-src", _origin(collector_url), origin) for policy in policies):
        yield Finding("connect-src", "failed", f"{detail}connect-src.")
    if any(mark in tag.get("src", "") for tag in parsed.scripts for mark in _OWN_CLIENT):
        yield Finding(
            "other client", "unknown",
            "Hellotext's own client is on the page too: point it at the collector or remove it, or visits count twice.",
        )  # fmt: skip


def _is_ours(tag: Mapping[str, str]) -> bool:
    return _path(tag.get("src", "")).endswith(PIXEL_PATH)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # such as a template's `//[[host]]/a.js`
        return ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _trusts(policy: str, wanted: str, page: str, nonce: str) -> bool:
    """Return whether a policy lets the page load our script: by its nonce, or by its address where addresses count."""
    sources = _sources(policy, "script-src") or []
    if nonce and f"'nonce-{nonce}'" in sources:
        return True
    return "'strict-dynamic'" not in sources and _allows(policy, "script-src", wanted, page)


def _sources(policy: str, directive: str) -> list[str] | None:
    rules = {words[0].lower(): words[1:] for part in policy.split(";") if (words := part.split())}
    return rules.get(directive, rules.get("default-src"))


def _allows(policy: str, directive: str, wanted: str, page: str) -> bool:
    """Return whether a policy (https://www.w3.org/TR/CSP3/) lets the page load from an origin."""
    sources = _sources(policy, directive)
    if sources is None:
        return True
    for source in (text.lower() for text in sources):
        if source in {"*", f"{urlsplit(wanted).scheme}:"} or (source == "'self'" and wanted == page):
            return True
        if _covers(source, wanted):
            return True
    return False


def _covers(source: str, wanted: str) -> bool:
    """Return whether a policy's source, `[scheme://]host[:port][/path]`, covers an origin's /v1/."""
    parts = urlsplit(wanted)
    scheme, _, rest = source.rpartition("://")
    place, slash, path = rest.partition("/")
    host, _, port = place.partition(":")
    own = str(parts.port or _PORTS.get(parts.scheme, ""))
    if scheme not in {"", "http", parts.scheme} or port not in {"*", own, "" if own in _PORTS.values() else own}:
        return False
    if not ((slash + path).startswith(_OURS) or _OURS.startswith(slash + path)):
        return False
    name = parts.hostname or ""
    return host == name or (host.startswith("*.") and name.endswith(host[1:]))
