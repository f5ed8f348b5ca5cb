"""Where a visit comes from: its session, its page, its campaign (contracts/hellotext A5, A6). Pure.

What the body does not tell, the page's address may: clients up to 2.1.3 send no `utm_params`, and a page without
JavaScript sends nothing else.
"""

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from schemas.texts import plain

_NOBODY: Final = frozenset(("", "undefined", "null", "None", "NaN", "[object Object]"))
_UTM: Final = ("source", "medium", "campaign", "term", "content")


def mend_origin(data: dict[str, Any]) -> None:
    """Put session, page and campaign into their one form."""
    page = data.get("page")
    url = page.get("url") if page else None
    session = _text(data.get("session"))
    query = _query(url) if url and ("hello_session=" in url or "utm_source=" in url) else {}
    _set(data, "session", session or query.get("hello_session"))
    _set(data, "utm", _campaign(data.get("utm"), query))
    if page and url:
        _mend_page(page, url)


def _campaign(told: dict[str, Any] | None, query: dict[str, str]) -> dict[str, Any] | None:
    utm = {name: text for name, value in told.items() if (text := _text(value))} if told else {}
    if "source" not in utm and "utm_source" in query:
        utm |= {name: query[f"utm_{name}"] for name in _UTM if f"utm_{name}" in query}
    for name in ("source", "medium"):
        if name in utm:
            utm[name] = utm[name].lower()
    return utm or None


def _mend_page(page: dict[str, Any], url: str) -> None:
    referrer = page.get("referrer")
    if not page.get("path"):
        page["path"] = _path(url)
    if referrer is not None and (not referrer or _site(referrer) == _site(url)):
        del page["referrer"]  # the shop itself sent nobody to the shop


def _query(url: str) -> dict[str, str]:
    try:
        fields = parse_qs(urlsplit(url).query, max_num_fields=100)
    except ValueError:
        return {}
    return {name: text for name, values in fields.items() if (text := _text(values[-1]))}


def _path(url: str) -> str:
    """Return the address's path; of one that is not absolute `/`, as the client has it (A3.1)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "/"
    return parts.path or "/" if parts.scheme in {"http", "https"} else "/"


def _site(url: str) -> str:
    """Return scheme and host, compared as text: cheaper than parsing, and enough to be the same."""
    return "/".join(url.split("/", 3)[:3]).lower()


def _text(value: str | None) -> str | None:
    if value is None:
        return None
    text = plain(value)  # so do VTEX's orders tell campaigns
    return None if text in _NOBODY else text


def _set(data: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        data[name] = value
    else:
        data.pop(name, None)
