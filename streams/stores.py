"""What agents know of the connected stores: their settings, and the secret that keys the hashes of personal values.

Agents do no I/O: they look into a directory that follows the topic `stores` beside them. A store that it does not know
yet makes the engine wait for the directory to catch up (`NotYet`); one that stays unknown is dead-lettered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from schemas.personal import Kind, hash_value
from schemas.stores import StoreConnection
from streams.engine.agent import NotYet


class Directory(Protocol):
    """What is needed of `connectors.kafka.stores.StoreDirectory`."""

    def get(self, store: str) -> StoreConnection | None:
        """Return a store by its name."""

    async def catch_up(self) -> None:
        """Return when everything is known that was committed before this call."""


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A connected store and its opened hash secret."""

    connection: StoreConnection
    hash_secret: bytes

    def hash(self, kind: Kind, normal: str | None) -> str | None:
        """Return the keyed hash that stands for a value in its normal form; None for None."""
        return None if normal is None else hash_value(self.hash_secret, kind, normal)


class Stores:
    """The connected stores, opened once for as long as their row is the same.

    Args:
        directory: follows the topic `stores`.
        unseal: opens a sealed secret (`SecretBox.unseal`).
    """

    def __init__(self, directory: Directory, unseal: Callable[[str], str]) -> None:
        self._directory = directory
        self._unseal = unseal
        self._known: dict[str, KnownStore] = {}

    def of(self, name: str) -> KnownStore:
        """Return a store by its name.

        Raises:
            NotYet: the directory does not know it; the batch runs again once it has caught up.
        """
        connection = self._directory.get(name)
        if connection is None:
            raise NotYet(self._directory.catch_up, "the store is not connected")
        known = self._known.get(name)
        if known is None or known.connection is not connection:
            known = KnownStore(connection, self._unseal(connection.hash_secret).encode())
            self._known[name] = known
        return known

    def unseal(self, sealed: str) -> str:
        """Open a secret of a store, such as a token."""
        return self._unseal(sealed)
