"""What is left out on purpose: events without consent, and of machines (contracts/hellotext NOTES 4). Pure.

A bot's visit or the preview that a messenger fetches for a link would be a click that nobody made. But most of our
visitors come from inside messengers: an app's own browser, which names the app beside a whole browser, is a person.
"""

import re
from functools import lru_cache
from typing import Any, Final, Literal

from crawlerdetect import CrawlerDetect  # type: ignore[import-untyped]

from connectors.pixel.privacy import may_keep

Reason = Literal["consent", "bot"]

_FETCHERS: Final = re.compile(
    r"facebookexternalhit|facebookcatalog|meta-externala|^whatsapp/|telegrambot|twitterbot|slack(bot|-imgproxy)"
    r"|linkedinbot|discordbot|skypeuripreview|skype-url-preview|kakaotalk-scrap|line-poker|^viber/|googlemessages"
    r"|google-(pagerenderer|safety|inspectiontool)|snap url preview|bluesky cardyb|rocket\.chat|mattermost|iframely"
    r"|embedly|vkshare|com\.apple\.webkit\.networking|ms-office",
    re.IGNORECASE,
)
"""The fetchers of link previews. iMessage's names facebookexternalhit and Twitterbot; Signal's says WhatsApp."""
_IN_APP: Final = re.compile(r"\b(WhatsApp|Line|Viber)/[\w.]+")
_LIBRARIES: Final = re.compile(
    r"^(python-|curl/|wget/|aiohttp|go-http-client|node|undici|axios|got |okhttp|java/|apache-httpclient|guzzle|ruby"
    r"|faraday|postman|insomnia|k6/|dart/|libwww|php)",
    re.IGNORECASE,
)
"""Libraries of programs. They follow no link of a message and run no page: whoever sends an event with one means it."""
_detector: Final = CrawlerDetect()


def reason_to_leave_out(data: dict[str, Any], privacy: str) -> Reason | None:
    """Return why an event is not to be counted, or None.

    Args:
        data: of the event.
        privacy: the store's mode.
    """
    # The collector keeps the bare fact of an event that it may not keep: without even a device (records.seal).
    if "device" not in data or not may_keep(privacy, data.get("consent")):
        return "consent"
    agent = data["device"].get("user_agent") if data["device"] else None
    if agent and (is_fetcher(agent) if data.get("sent_by", "page") != "page" else is_bot(agent)):
        return "bot"
    return None


@lru_cache(maxsize=16_384)
def is_bot(user_agent: str) -> bool:
    """Return whether a page's event comes from a crawler or a preview fetcher."""
    if is_fetcher(user_agent):
        return True
    return not _LIBRARIES.match(user_agent) and bool(_detector.is_crawler(_without_app(user_agent)))


@lru_cache(maxsize=16_384)
def is_fetcher(user_agent: str) -> bool:
    """Return whether a messenger fetches a preview. A shop's back end is a library, but never this."""
    return _FETCHERS.search(user_agent) is not None


def _without_app(user_agent: str) -> str:
    return _IN_APP.sub("", user_agent) if user_agent.startswith("Mozilla/5.0 (") else user_agent
