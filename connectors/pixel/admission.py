"""Who may send: business id or token to store, and what that store has chosen."""

import hmac
import time
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from connectors.kafka.errors import WrongKey
from connectors.pixel.answers import busy
from connectors.pixel.limits import Bucket
from connectors.pixel.request import Refused
from connectors.pixel.settings import CollectorSettings
from schemas.partition import shard_of
from schemas.stores import Former, StoreConnection

log = structlog.get_logger()

_CLOSED: Final = busy("The store's secrets do not open with the collector's key: its operator is told why.", 60)
_BEARER: Final = b"bearer"
_BASIC: Final = b"basic "


class Directory(Protocol):
    """What the collector needs of `connectors.kafka.stores.StoreDirectory`."""

    def get(self, store: str) -> StoreConnection | None:
        """Return a store by its name."""

    def by_business(self, business_id: str) -> StoreConnection | None:
        """Return a store by its public business id."""

    def all(self) -> Any:
        """Return every connected store."""


class Opener(Protocol):
    """What the collector needs of `connectors.kafka.secrets.SecretBox`."""

    def unseal(self, sealed: str) -> str:
        """Return the secret itself.

        Raises:
            WrongKey: it was sealed with another key.
        """


@dataclass(frozen=True, slots=True)
class Held:
    """A secret of a store, opened; one that was renewed counts beside it until its time is over."""

    secret: str
    before: str = ""
    until: float = 0.0

    def taken(self) -> tuple[str, ...]:
        """Return what is taken now."""
        return (self.secret, self.before) if time.time() < self.until else (self.secret,)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A store, unsealed once: what each request needs of it."""

    name: str
    partition: int
    secret: bytes
    country: str
    privacy: str
    origins: frozenset[bytes]
    hook_secret: Held
    server_token: Held
    connection: StoreConnection
    bucket: Bucket


class Admission:
    """Finds the store of a request; caches what it unsealed for as long as the store's row is the same.

    A store whose secrets do not open is refused with 503, so that its senders keep what they have; see `keys.py`.
    """

    def __init__(self, directory: Directory, secrets: Opener, settings: CollectorSettings, partitions: int) -> None:
        self._directory = directory
        self._secrets = secrets
        self._settings = settings
        self._partitions = partitions
        self._known: dict[str, Admitted] = {}
        self._closed: dict[str, StoreConnection] = {}

    def by_business(self, business_id: str) -> Admitted | None:
        """Return the store that a public business id names."""
        return self._admit(self._directory.by_business(business_id))

    def by_name(self, store: str) -> Admitted | None:
        """Return a store by its name."""
        return self._admit(self._directory.get(store))

    def by_token(self, token: str) -> Admitted | None:
        """Return the store whose back end holds this token; every token is compared, in constant time.

        Raises:
            Refused: 503 when nobody's is, and some store's cannot be opened.
        """
        found, closed = None, None
        for connection in self._directory.all():
            try:
                admitted = self._admit(connection)
            except Refused as refused:
                closed = refused  # the others' back ends are not to suffer for it
                continue
            for taken in admitted.server_token.taken() if admitted else ():
                if hmac.compare_digest(taken.encode(), token.encode()):
                    found = admitted
        if found is None and closed is not None:
            raise closed  # it may be that store's
        return found

    def _admit(self, connection: StoreConnection | None) -> Admitted | None:
        if connection is None:
            return None
        known = self._known.get(connection.store)
        if known is not None and known.connection is connection:
            return known
        if self._closed.get(connection.store) is connection:
            raise Refused(_CLOSED)
        try:
            known = self._opened(connection, known.bucket if known else None)
        except WrongKey as error:
            self._closed[connection.store] = connection
            log.error("a store's events are not taken, they are answered 503", store=connection.store, error=str(error))  # noqa: TRY400  the text says all
            raise Refused(_CLOSED) from None
        self._known[connection.store] = known
        return known

    def _opened(self, connection: StoreConnection, bucket: Bucket | None) -> Admitted:
        settings = self._settings
        return Admitted(
            name=connection.store,
            partition=shard_of(connection.store, self._partitions),
            secret=self._secrets.unseal(connection.hash_secret).encode(),
            country=connection.country,
            privacy=connection.privacy,
            origins=frozenset(origin.rstrip("/").lower().encode() for origin in connection.origins),
            hook_secret=self._held(connection.hook_secret, connection.hook_secret_before),
            server_token=self._held(connection.server_token, connection.server_token_before),
            connection=connection,
            bucket=bucket or Bucket(settings.rate, settings.burst),
        )

    def _held(self, sealed: str, before: Former | None) -> Held:
        if before is None:
            return Held(self._secrets.unseal(sealed))
        return Held(self._secrets.unseal(sealed), self._secrets.unseal(before.secret), before.until.timestamp())


def bearer(header: bytes) -> str:
    """Return the token of an `Authorization: Bearer` header, or an empty text."""
    scheme, _, token = header.partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == _BEARER else ""


def holds_secret(held: Held, headers: dict[bytes, bytes], query: dict[str, str], body: bytes) -> bool:
    """Return whether a webhook's call carries the store's `hook_secret`, or one that is still taken.

    As basic auth's password, as a bearer token, in `X-Hook-Secret` or `?token=` (VTEX's triggers know headers and
    addresses only), or as HMAC-SHA-256 of the body in a signature header (contracts/infobip CONTRACT 7; the name
    of Infobip's header is not documented, so the usual ones are read).
    """
    authorization = headers.get(b"authorization", b"")
    offered = [query.get("token", ""), headers.get(b"x-hook-secret", b"").decode("latin-1"), bearer(authorization)]
    if authorization[: len(_BASIC)].lower() == _BASIC:
        try:
            offered.append(b64decode(authorization[len(_BASIC) :], validate=True).decode().partition(":")[2])
        except ValueError:
            return False
    signature = next((headers[name] for name in _SIGNATURES if name in headers), b"").lower().removeprefix(b"sha256=")
    return any(_proves(secret.encode(), offered, signature, body) for secret in held.taken())


def _proves(secret: bytes, offered: list[str], signature: bytes, body: bytes) -> bool:
    if any(hmac.compare_digest(secret, text.encode()) for text in offered if text):
        return True
    expected = hmac.digest(secret, body, "sha256").hex().encode()
    return bool(signature) and hmac.compare_digest(signature, expected)


_SIGNATURES: Final = (b"x-hub-signature-256", b"x-infobip-signature", b"x-signature")
