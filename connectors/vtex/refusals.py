"""What VTEX's refusals mean: from status and text of an answer to the error that says what to do (NOTES 1, 2.2)."""

import re
from typing import Final

from connectors.vtex.errors import (
    RESOURCES,
    AccountUnknown,
    ContractChanged,
    EntityAbsent,
    FeedTaken,
    KeyRefused,
    ResourceMissing,
    ScrollBusy,
    ScrollLost,
    VtexError,
)

_BUSY: Final = re.compile(r"maximum simultaneous scrolls", re.IGNORECASE)
_LOST: Final = re.compile(r"operation not found for this token", re.IGNORECASE)
_PRIVATE: Final = re.compile(r"private field", re.IGNORECASE)
_BAD, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 400, 401, 403, 404, 409


def refusal_of(account: str, resource: str, status: int, text: str) -> VtexError:
    """Return the error for an answer between 300 and 499 that is neither 408 nor 429.

    Args:
        account: of VTEX.
        resource: that was asked for, as named in errors.RESOURCES.
        status: of the answer.
        text: of the answer; none of it gets into the error.
    """
    if status == _BAD and _BUSY.search(text):
        return ScrollBusy(f"account {account} has ten scrolls under way: other integrations hold them (400)")
    if status == _BAD and _LOST.search(text):
        return ScrollLost(f"the scroll of account {account} ended: its token is not known any more (400)")
    if status == _FORBIDDEN and _PRIVATE.search(text):
        return ResourceMissing(_FIELD.format(account=account))
    if status == _NOT_FOUND and resource in _ABSENT:
        return EntityAbsent(_ABSENT[resource].format(account=account))
    kind, message = _BY_STATUS.get(status, (ContractChanged, _UNDESCRIBED))
    if status < _BAD:
        kind, message = AccountUnknown, _ELSEWHERE
    named = RESOURCES.get(resource, resource)
    return kind(message.format(account=account, resource=resource, status=status, needed=named))


_ABSENT: Final = {
    "addresses": (
        "account {account} has no data entity AD (404): its customers are read without addresses. AD is looked for "
        "once an hour; there is nothing to do unless the shop keeps addresses"
    ),
    "opt-ins": (
        "account {account} has no such data entity as the one chosen for opt-ins (404): customers are read without. It "
        "is looked for once an hour; choose another with `hellotext-vtex stores set --opt-in-entity`"
    ),
}
_FIELD: Final = (
    "the key of account {account} may not read one of the fields that this store asks for (403, a private field): "
    "leave it out with `hellotext-vtex stores set --vtex-field` or `--opt-in-field`, or make it public in Master Data"
)
_UNDESCRIBED: Final = (
    "account {account} answered {resource} with {status}, which VTEX's reference does not describe: it is asked again "
    "within a minute; if this stays, ask VTEX's support what it means"
)
_WRONG: Final = (
    "VTEX refuses the App Key and App Token of account {account} (401): were they rotated? Enter the new token with "
    "`hellotext-vtex connect`; reading goes on where it stopped."
)
_FORBIDDEN_HERE: Final = (
    "the key of account {account} may not read {resource} (403): in Account settings > User roles give its role the "
    "License Manager resource “{needed}”"
)
_UNKNOWN: Final = (
    "account {account} has no {resource} at its address (404): compare the account's name and address with VTEX's "
    "admin, and correct them with `hellotext-vtex connect`; reading goes on where it stopped"
)
_ELSEWHERE: Final = (
    "the address of account {account} sends calls for {resource} elsewhere ({status}, a redirect): correct it with "
    "`hellotext-vtex connect` (https, no page's address); reading goes on where it stopped"
)
_TAKEN: Final = (
    "the order feed of account {account}'s key is configured with another kind of filter (409): give this connection a "
    "key of its own, or delete the other configuration"
)
_BY_STATUS: Final[dict[int, tuple[type[VtexError], str]]] = {
    _UNAUTHORIZED: (KeyRefused, _WRONG), _FORBIDDEN: (ResourceMissing, _FORBIDDEN_HERE),
    _NOT_FOUND: (AccountUnknown, _UNKNOWN), _CONFLICT: (FeedTaken, _TAKEN),
}  # fmt: skip
