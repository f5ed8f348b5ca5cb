"""How the Conversation Tracker shows a buyer's e-mail to outsiders (NOTES 4.3)."""

import hashlib
import re
from enum import StrEnum


class Mask(StrEnum):
    """What an order shows."""

    HARD = "hard"
    SOFT = "soft"
    NONE = "none"
    PROTECTED = "protected"


def masked(email: str, order_group: str, mask: Mask) -> str:
    """Return the address in an order: an alias that says nothing, the address with a tail, the address, or stars."""
    digest = hashlib.sha256(f"{order_group}:{email}".encode()).hexdigest()
    if mask is Mask.HARD:
        return f"{digest[:32]}@ct.vtex.com.br"
    if mask is Mask.PROTECTED:
        return _starred(email)
    if mask is Mask.SOFT:
        return f"{email}-{int(digest[:10], 16):012}b.ct.vtex.com.br"
    return email


def _starred(email: str) -> str:
    """Return an address as the PII architecture shows it: `j***.d**@e******.c**` (NOTES 3)."""
    return re.sub(r"[^.@]+", lambda word: word[0][0] + "*" * (len(word[0]) - 1), email)
