"""Connecting a store: the one way in, shared by the wizard in the browser and `hellotext-vtex connect`.

    request = ConnectionRequest(vtex_account="acme", vtex_app_key=..., ...)     # names what is wrong
    report = await check_keys(request)                                           # says what keys cannot do
    if report.ok:
        store = await connect_store(request, connection, secrets)                # sealed, durable in `stores`

Connecting a store again renews its keys and addresses; its own secrets stay, above all the one that keys the hashes
of personal values, which never rotates (DESIGN section 11).
"""

import secrets as random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import ValidationError

from connectors.console.checks import AccessReport, Check, check_keys
from connectors.console.request import STORE_NAME, ConnectionRequest, country_defaults, read_account
from connectors.console.rows import write_row
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import latest_by_key
from connectors.kafka.secrets import SecretBox
from schemas.model import Model
from schemas.partition import store_of
from schemas.stores import Former, StoreConnection
from schemas.topics import STORES

__all__ = [
    "STORE_NAME", "AccessReport", "BusinessTakenError", "Check", "ConnectionRequest", "StoreUnreadableError",
    "check_keys", "connect_store", "country_defaults", "given_before", "read_account", "renewed",
    "standing",
]  # fmt: skip


_LENGTHS: Final = {"hook_secret": 24, "server_token": 32}
"""Bytes of chance in a store's own secrets."""


class BusinessTakenError(Exception):
    """Another store has this Hellotext business: its pixel's events could belong to either."""


class StoreUnreadableError(Exception):
    """The store is connected already, by a version whose row cannot be read."""


async def connect_store(request: ConnectionRequest, connection: KafkaConnection, secrets: SecretBox) -> StoreConnection:
    """Write the store's connection, sealed, to `stores`; returns when Kafka has acknowledged it.

    Checks no keys: call `check_keys` before.

    Args:
        request: what the merchant gave.
        connection: to the broker; its topics exist.
        secrets: seals the keys.

    Raises:
        BusinessTakenError: another store has this Hellotext business.
        StoreUnreadableError: the store's present row cannot be read, so its secrets could not be kept.
        WrongKey: the store exists, and was connected with another SECRETS_KEY.
        BrokerUnreachable, TopicMissing: as of any read.
    """
    name = request.store or request.vtex_account
    stores = await _connected(connection, name)
    for other in stores.values():
        if other.hellotext.business_id == request.hellotext_business and other.store != name:
            raise BusinessTakenError(
                f"business {request.hellotext_business} is connected to store {other.store}: give the business of "
                f"this store, or connect under the name {other.store} to renew that one"
            )
    row = _row(name, request, stores.get(name), secrets)
    await write_row(connection, STORES, name, (), row)
    return row


def renewed(
    row: StoreConnection, secrets: SecretBox, names: Sequence[Literal["hook_secret", "server_token"]],
    until: datetime | None,
) -> StoreConnection:  # fmt: skip
    """Return a store with new secrets of its own; those before are taken beside them until then, None: not at all.

    Raises:
        WrongKey: the store was connected with another SECRETS_KEY.
    """
    secrets.unseal(row.hash_secret)
    changes: dict[str, Any] = {}
    for name in names:
        changes[f"{name}_before"] = Former(secret=getattr(row, name), until=until) if until else None
        changes[name] = secrets.seal(random.token_urlsafe(_LENGTHS[name]))
    return row.model_copy(update=changes)


async def standing(connection: KafkaConnection, store: str) -> StoreConnection | None:
    """Return how a store is connected, or None when it is not.

    Raises:
        StoreUnreadableError: its row cannot be read.
        BrokerUnreachable, TopicMissing: as of any read.
    """
    return (await _connected(connection, store)).get(store)


def given_before(row: StoreConnection, secrets: SecretBox) -> dict[str, Any]:
    """Return what a connected store was connected with, by the names of a request's fields: to give some of it anew.

    Raises:
        WrongKey: it was connected with another SECRETS_KEY.
    """
    infobip = row.infobip
    return {
        "store": row.store, "vtex_account": row.vtex.account, "vtex_url": row.vtex.url,
        "vtex_app_key": row.vtex.app_key, "vtex_app_token": secrets.unseal(row.vtex.app_token),
        "hellotext_url": row.hellotext.url, "hellotext_business": row.hellotext.business_id,
        "hellotext_token": secrets.unseal(row.hellotext.token),
        "infobip_url": infobip and infobip.url, "infobip_key": infobip and secrets.unseal(infobip.api_key),
        "country": row.country, "timezone": row.timezone, "currency": row.currency, "origins": row.origins,
        "privacy": row.privacy,
    }  # fmt: skip


async def _connected(connection: KafkaConnection, name: str) -> dict[str, StoreConnection]:
    found = {}
    for key, record in (await latest_by_key(connection, STORES.name)).items():
        try:
            found[store_of(key)] = StoreConnection.model_validate_json(record.value)
        except ValidationError as error:
            if store_of(key) == name:
                # Overwriting it would lose the secret that keys its hashes, and with it every join with the past.
                raise StoreUnreadableError(
                    f"store {name} stands in the topic {STORES.name} in a form that this version cannot read "
                    f"({error.error_count()} fields): use the version that wrote it, or connect under another name"
                ) from None
    return found


def _row(name: str, request: ConnectionRequest, old: StoreConnection | None, box: SecretBox) -> StoreConnection:
    vtex_token, hellotext_token = request.vtex_app_token, request.hellotext_token
    infobip: dict[str, Any] | None = None
    if request.infobip_url is not None and request.infobip_key is not None:
        key = box.seal(request.infobip_key.get_secret_value())
        infobip = {**_kept(old and old.infobip), "url": request.infobip_url, "api_key": key}
    if old is not None:
        box.unseal(old.hash_secret)  # a row sealed with another key would be half readable from now on
    given = {
        "store": name,
        "vtex": {
            **_kept(old and old.vtex),
            "account": request.vtex_account,
            "url": request.vtex_url or "",
            "app_key": request.vtex_app_key,
            "app_token": box.seal(vtex_token.get_secret_value()),
        },
        "hellotext": {
            **_kept(old and old.hellotext),
            "url": request.hellotext_url,
            "business_id": request.hellotext_business,
            "token": box.seal(hellotext_token.get_secret_value()),
        },
        "infobip": infobip,
        "country": request.country,
        "timezone": request.timezone or "UTC",
        "currency": request.currency or "",
        "origins": request.origins,
        "privacy": request.privacy,
    }
    own = {} if old else {
        "hash_secret": box.seal(random.token_urlsafe(32)),
        **{name: box.seal(random.token_urlsafe(length)) for name, length in _LENGTHS.items()},
        "connected_at": datetime.now(UTC),
    }  # fmt: skip
    # What is asked for in no form (prices, windows, paused ...) stays as it was.
    return StoreConnection.model_validate({**_kept(old), **given, **own})


def _kept(old: Model | None) -> dict[str, Any]:
    return {} if old is None else dict(old)
