"""What a search of Master Data is asked for: its `_where` (contracts/vtex NOTES 2.1, 2.4). Pure.

Whether `between` takes in its bounds is not documented, and an index may know whole milliseconds only. So windows are
widened by one on either side: reading a document twice costs nothing, missing one does.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from connectors.vtex.instants import Window
from connectors.vtex.texts import email_of
from schemas.clock import to_text

_PLAIN_ID: Final = re.compile(r"[\w.@+:-]+")
_PLAIN_EMAIL: Final = re.compile(r"[^\s()\"'=<>*,]+@[^\s()\"'=<>*,]+")
"""What may stand in a condition without changing what it means."""


def between(name: str, window: Window) -> str:
    """Return the condition for documents whose date lies in a window."""
    return f"{name} between {to_text(window.start - 1)} AND {to_text(window.end + 1)}"


def changed_in(window: Window) -> str:
    """Return the condition for documents whose coalesce(updatedIn, createdIn) lies in a window."""
    return f"({between('updatedIn', window)}) OR ((updatedIn is null) AND ({between('createdIn', window)}))"


def created_in(window: Window | None) -> str:
    """Return the condition for documents created in a window; None: those without a date (NOTES 2.2)."""
    return "createdIn is null" if window is None else between("createdIn", window)


def one_of(name: str, values: list[str]) -> str:
    """Return the condition for documents whose field has one of some values."""
    return " OR ".join(f"{name}={value}" for value in values)


def plain_ids(ids: Iterable[str]) -> list[str]:
    """Return the ids that may stand in a condition; a shop's visitors can write others into its addresses."""
    return [one for one in ids if _PLAIN_ID.fullmatch(one)]


def plain_emails(values: Iterable[Any]) -> list[str]:
    """Return the e-mails that may stand in a condition, each once."""
    emails = (email for value in values if (email := email_of(value)) is not None)
    return [email for email in dict.fromkeys(emails) if _PLAIN_EMAIL.fullmatch(email)]
