"""Texts of VTEX's documents and orders: masks are none, and numbers are some (contracts/vtex NOTES 2.5, 4.3). Pure."""

from typing import Final

from schemas.texts import plain

LONGEST: Final = 1000
"""Characters of a text; VTEX's reference has 300, and what is written past it must not outgrow a record."""


def is_nothing(value: object) -> bool:
    """Whether a value tells nothing: `***` is a mask that has got into the data."""
    return value is None or value == "" or (isinstance(value, str) and "*" in value)


def text_of(value: object) -> str | None:
    """Return a value as text, at most `LONGEST` of it; None when it tells nothing, or is no text.

    Stores keep documents and phones as numbers, too.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or is_nothing(value):
        return None
    return plain(value[:LONGEST]) or None


def email_of(value: object) -> str | None:
    """Return an e-mail as we compare them; None for what is none or masked."""
    text = text_of(value)
    return text.lower() if text else None
