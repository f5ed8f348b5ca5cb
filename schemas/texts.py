"""Texts that strangers typed: what no name, address or identifier of ours may hold is taken out. Pure."""

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")
"""Vendors' databases refuse them, and keys of tables are joined by one of them."""


def plain(text: str) -> str:
    """Return a text without control characters, and without blanks around it."""
    return (text if text.isprintable() else _CONTROL.sub(" ", text)).strip()
