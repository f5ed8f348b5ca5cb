"""How the Conversation Tracker shows a buyer's e-mail to outsiders (NOTES 4.3)."""

import hashlib
from enum import StrEnum


class Mask(StrEnum):
    """What an order shows."""

    HARD = "hard"
    SOFT = "soft"
    NONE = "none"


def masked(email: str, order_group: str, mask: Mask) -> str:
    """Return the address in an order: an alias that says nothing, the address with a tail, or the address."""
    digest = hashlib.sha256(f"{order_group}:{email}".encode()).hexdigest()
    if mask is Mask.HARD:
        return f"{digest[:32]}@ct.vtex.com.br"
    if mask is Mask.SOFT:
        return f"{email}-{int(digest[:10], 16):012}b.ct.vtex.com.br"
    return email
