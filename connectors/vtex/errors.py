# ruff: noqa: N818  each is named by what is the matter, which is how its reader looks it up
"""What can go wrong with a VTEX account, split by what the poller should do (contracts/vtex NOTES 1, 2, 5).

VtexError
├── Refused                 a person must act; looked at again at leisure, the cursor stays where it is
│   ├── KeyRefused          401: key and token are wrong, or a rotation has ended
│   ├── ResourceMissing     403: the key's role lacks a License Manager resource, named
│   ├── AccountUnknown      404 of a resource that every account has: the address is not this account's
│   ├── Dispensable         what a store can be read without: a note, asked for again an hour later
│   │   ├── EntityAbsent    404 of an entity
│   │   └── HookUnreachable the order hook is not taken
│   ├── Crowded             more documents of one moment than a search shows, and no scroll to be had
│   ├── FeedTaken           409: the key's feed was set up by somebody else, in a way that excludes ours
│   └── DataProtected       the account keeps personal data on VTEX's PII architecture
├── Retryable               the same call may succeed later
│   ├── Throttled           429: stop every call of the account
│   ├── ScrollBusy          400: all ten scrolls of the account are taken
│   └── Unavailable         5xx, 408, no answer, an answer cut short or without its headers
├── ScrollLost              400: the scroll's token is dead; begin the slice again
├── Unreliable              an answer that cannot be true, such as an empty page where a customer must be
└── ContractChanged         an answer that VTEX's reference does not describe
"""

import traceback
from pathlib import Path
from typing import Final

RESOURCES: Final = {
    "customers": "Dynamic Storage / generic resources / Read only documents",
    "addresses": "Dynamic Storage / generic resources / Read only documents",
    "opt-ins": "Dynamic Storage / generic resources / Read only documents",
    "orders list": "OMS / OMS access / List Orders",
    "orders": "OMS / OMS access / View order",
    "orders feed": "OMS / Feed v3 and Hook Admin",
}
"""The License Manager resource that each kind of call needs (NOTES 1)."""


PATIENT_S: Final = 90.0


class VtexError(Exception):
    """Base of all of them; the message says what happened, to what, and what to do."""


class Refused(VtexError):
    """Only a person can put this right."""


class KeyRefused(Refused):
    """The App Key and App Token are not accepted."""


class ResourceMissing(Refused):
    """The key's role lacks a License Manager resource."""


class AccountUnknown(Refused):
    """The address knows no such account or interface."""


class Dispensable(Refused):
    """The store is read without it."""


class EntityAbsent(Dispensable):
    """The account has no such data entity."""


class HookUnreachable(Dispensable):
    """VTEX does not take the order hook: its ping to the collector was not answered."""


class Crowded(Refused):
    """A search cannot show all documents of one moment, and VTEX refuses to scroll them."""


class FeedTaken(Refused):
    """The key's order feed is configured in a way that excludes ours."""


class DataProtected(Refused):
    """The account is on VTEX's PII architecture: customers cannot be listed."""


class Retryable(VtexError):
    """The same call may succeed later.

    Attributes:
        retry_after: seconds that VTEX asked for, where it did.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def long_pause(self) -> bool:
        """Whether VTEX asked for more than a call waits by itself: its reader tells people, and waits."""
        return self.retry_after is not None and self.retry_after > PATIENT_S


class Throttled(Retryable):
    """The account has called too often."""


class ScrollBusy(Retryable):
    """All of the account's ten scrolls are taken."""


class Unavailable(Retryable):
    """VTEX did not give a whole answer."""


class ScrollLost(VtexError):
    """The scroll's token is dead, and its slice has to be read again."""


class Unreliable(VtexError):
    """An answer contradicts what is known."""


class ContractChanged(VtexError):
    """An answer has a shape that VTEX's reference does not describe."""


NO_SCROLL: Final = (ScrollBusy, ResourceMissing, AccountUnknown, EntityAbsent, ContractChanged)
"""Answers to a scroll after which a search may do."""


def place_of(error: BaseException) -> str:
    """Return where an unexpected error came from, innermost first; a traceback could show a secret or a person."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in reversed(frames))
