"""A store that is connected already: the wizard's form starts from what stands, and a key that is left blank stays.

A key stays for the address that it was given for: sent to another one, it would be shown to whoever listens there. And
keys that nobody has typed open nothing: the store's own secrets are not shown for them.
"""

from collections.abc import Mapping
from typing import Final

from connectors.console.drafts import Draft
from connectors.console.request import HELLOTEXT_URL, ConnectionRequest, read_account
from schemas.stores import StoreConnection

AGAIN: Final = "again"
"""The form's field that names the store from whose connection it started."""
_FOR: Final[Mapping[str, tuple[str, ...]]] = {
    "vtex_app_key": ("vtex_url",),
    "vtex_app_token": ("vtex_url", "vtex_app_key"),
    "hellotext_token": ("hellotext_url",),
    "infobip_key": ("infobip_url",),
}
"""Each key, and what it was given for."""
_DEFAULTS: Final = {"country": "BR", "privacy": "none"}
"""What a form says of which nobody has chosen anything."""


def named_in(draft: Draft) -> str:
    """Return the name of the store that a draft is about."""
    return draft.fields.get("store") or read_account(draft.fields.get("vtex_account", ""))[0]


def fields_of(row: StoreConnection) -> dict[str, str]:
    """Return a connection as the form shows it: without its keys, and without addresses that go without saying."""
    usual = read_account(row.vtex.account)[1]
    return {
        AGAIN: row.store, "store": row.store, "vtex_account": row.vtex.account,
        "vtex_url": "" if row.vtex.url == usual else row.vtex.url,
        "hellotext_url": "" if row.hellotext.url == HELLOTEXT_URL else row.hellotext.url,
        "hellotext_business": row.hellotext.business_id, "infobip_url": row.infobip.url if row.infobip else "",
        "country": row.country, "timezone": row.timezone, "currency": row.currency,
        "origins": " ".join(row.origins), "privacy": row.privacy,
    }  # fmt: skip


def start_from(row: StoreConnection, draft: Draft) -> None:
    """Put what was typed into what stands, for a form that was filled in without knowing of it."""
    typed = {name: text for name, text in draft.fields.items() if text and text != _DEFAULTS.get(name)}
    draft.fields = {**fields_of(row), **typed, AGAIN: row.store, "store": row.store}


def kept_in(draft: Draft) -> dict[str, str]:
    """Return the keys that a draft leaves blank and that stand."""
    blank = {name: draft.before.get(name) for name in _FOR if name not in draft.secrets and not draft.fields.get(name)}
    if not draft.fields.get("infobip_url"):
        blank.pop("infobip_key", None)
    return {name: key for name, key in blank.items() if key}


def moved(draft: Draft, wanted: ConnectionRequest) -> list[str]:
    """Return the keys left blank that would be used for something else than they were given for."""
    return [name for name in kept_in(draft) if any(getattr(wanted, what) != draft.before[what] for what in _FOR[name])]


def there_already(draft: Draft) -> dict[str, str]:
    """Return, by key, whether it may be left blank: it was `typed` before, or `stands`; else it is blank."""
    again = bool(draft.fields.get(AGAIN))
    there = {"infobip_key": bool(draft.fields.get("infobip_url"))}
    return {
        name: "typed" if name in draft.secrets else "stands" if again and there.get(name, True) else "" for name in _FOR
    }
