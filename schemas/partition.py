"""Keys identify; the partition is the store's: one number of partitions N for every topic (DESIGN section 2)."""

from zlib import crc32


def shard_of(store: str, partitions: int) -> int:
    """Return the shard of a store: the same partition number in every topic."""
    return crc32(store.encode()) % partitions


def key_of(store: str, *parts: str | int) -> bytes:
    """Return a record key: `store/part/part`. A key never holds a personal value."""
    key = store
    for part in parts:
        key = f"{key}/{part}"  # half of what joining costs: keys have two or three parts
    return key.encode()


def store_of(key: bytes) -> str:
    """Return the store that a record key names: what stands before its first slash."""
    return key.partition(b"/")[0].decode()
