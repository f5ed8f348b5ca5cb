"""Which kind of device a user agent speaks of. Pure."""

import re
from functools import lru_cache
from typing import Any, Final, Literal

Kind = Literal["desktop", "mobile", "tablet", "app", "other"]

# An iPad since iPadOS 13 says that it is a Macintosh: no server can tell.
_OTHER: Final = re.compile(
    r"smart-?tv|hbbtv|appletv|googletv|bravia|tizen.*tv|web0s|playstation|xbox|nintendo", re.IGNORECASE
)
_TABLET: Final = re.compile(r"ipad|tablet|kindle|silk/|playbook|android(?!.*(mobi|opera mini))", re.IGNORECASE)
_MOBILE: Final = re.compile(r"mobi|iphone|ipod|android|opera mini|blackberry", re.IGNORECASE)
_DESKTOP: Final = re.compile(r"windows nt|macintosh|x11|cros|linux", re.IGNORECASE)
_RULES: Final[tuple[tuple[re.Pattern[str], Kind], ...]] = (
    (_OTHER, "other"), (_TABLET, "tablet"), (_MOBILE, "mobile"), (_DESKTOP, "desktop"),
)  # fmt: skip


@lru_cache(maxsize=16_384)
def kind_of(user_agent: str | None) -> Kind:
    """Return the kind of device that a browser's user agent names; `other` when it names none."""
    return next((kind for pattern, kind in _RULES if user_agent and pattern.search(user_agent)), "other")


def classify(data: dict[str, Any]) -> None:
    """Add the device's kind: an app is an app, and a shop's back end is no visitor's device."""
    sender = data.get("sent_by", "page")
    device = data["device"] = data.get("device") or {}
    device["kind"] = kind_of(device.get("user_agent")) if sender == "page" else "app" if sender == "app" else "other"
