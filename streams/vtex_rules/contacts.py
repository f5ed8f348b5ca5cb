"""Which e-mails and phones may be one person's own (contracts/vtex NOTES 2.5, 4.3), whoever tells them. Pure."""

import re
from collections.abc import Callable
from typing import Final

from schemas.personal import Kind, normal_email, normal_phone

Hasher = Callable[[Kind, str | None], str | None]
"""A store's keyed hash (streams/stores.py)."""

_RELAY: Final = re.compile(
    r"@(?:ct\.vtex\.com|(?:[\w-]+\.)*(?:mercadolibre|mercadolivre|marketplace\.amazon|members\.ebay)\.)"
)
"""Addresses of marketplaces and of VTEX itself, behind which anybody may stand."""
_ATOM: Final = r"[^@\s\"(),:;<>\[\]\\.]+"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_TAKEN: Final = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]*[a-z0-9])")
"""Addresses that vendors take: for `a..b@x.com` or `joão@x.com` they refuse a customer whom a phone may reach."""
_FILLER: Final = re.compile(r"(\d)\1{8}$")
"""`(11) 99999-9999`: what hundreds type to get past a form, who would all be one profile."""


def usable_email(value: str | None) -> str | None:
    """Return the normal form of an address that is one person's own; never a mask's or a marketplace's."""
    email = normal_email(value)
    taken = email is not None and email.isascii() and _TAKEN.fullmatch(email) and not _RELAY.search(email)
    return email if taken else None


def is_relayed(email: str | None) -> bool:
    """Say whether an address is a marketplace's, and not its buyer's."""
    return _RELAY.search(normal_email(email) or "") is not None


def usable_phone(value: str | None, country: str) -> str | None:
    """Return the normal form of a number that may be one person's own."""
    phone = normal_phone(value, country)
    return None if phone is None or _FILLER.search(phone) else phone
