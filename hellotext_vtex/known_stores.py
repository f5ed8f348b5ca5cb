"""A store that somebody names is one that is connected, or a slip of the hand that is told so."""

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.stores import StoreDirectory
from hellotext_vtex.foreground import CommandError
from schemas.stores import StoreConnection


async def find_store(connection: KafkaConnection, store: str) -> StoreConnection:
    """Return a connected store.

    Raises:
        CommandError: it is not connected; names those that are.
    """
    async with StoreDirectory(connection) as directory:
        row = directory.get(store)
        known = ", ".join(each.store for each in directory.all())
    if row is not None:
        return row
    if not known:
        raise CommandError(f"there is no store {store!r}: none is connected yet (hellotext-vtex connect)")
    raise CommandError(f"there is no store {store!r}: connected are {known} (hellotext-vtex connect connects another)")


async def expect_store(connection: KafkaConnection, store: str | None, *, found: bool) -> None:
    """Refuse an empty answer about a store that is not connected.

    Args:
        connection: to the broker.
        store: asked for; None is all of them.
        found: whether there is something to show: a store that was removed leaves its data in the topics.

    Raises:
        CommandError: nothing was found, and it is not connected.
    """
    if store is not None and not found:
        await find_store(connection, store)
