"""How records stand in a segment of the spool: `length, crc32`, then partition, event, topic, key, value."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from connectors.pixel.records import Record

_HEAD: Final = struct.Struct("<II")  # length of the payload, crc32 of the payload
_PARTS: Final = struct.Struct("<iBBHI")  # partition, event, length of topic, of key, of value
_LEAST: Final = _HEAD.size + _PARTS.size


class Placed(NamedTuple):
    """A record and the partition it belongs to."""

    record: Record
    partition: int


def pack(placed: Placed) -> bytes:
    """Return the frame of a record."""
    record = placed.record
    topic = record.topic.encode()
    payload = b"".join(
        (
            _PARTS.pack(placed.partition, record.event, len(topic), len(record.key), len(record.value)),
            topic,
            record.key,
            record.value,
        )
    )
    return _HEAD.pack(len(payload), crc32(payload)) + payload


def unpack(raw: bytes) -> Iterator[Placed]:
    """Yield the records of a segment: all of its frames that are whole, also behind one that is damaged."""
    return (placed for placed, _, _ in _frames(raw))


def read_segment(path: Path) -> tuple[list[Placed], int]:
    """Return the records of a segment, and how many bytes before the last of them are damaged.

    What is no frame at the end was never answered: a process died, or the current went, while it was written.

    Raises:
        OSError: it cannot be read.
    """
    records, damaged, read = [], 0, 0
    for placed, start, end in _frames(path.read_bytes()):
        records.append(placed)
        damaged += start - read
        read = end
    return records, damaged


def _frames(raw: bytes) -> Iterator[tuple[Placed, int, int]]:
    at = 0
    while at + _LEAST <= len(raw):
        placed, end = _frame(raw, at)
        if placed is None:
            at += 1  # behind what is damaged the next frame is looked for
            continue
        yield placed, at, end
        at = end


def _frame(raw: bytes, at: int) -> tuple[Placed | None, int]:
    """Return the record whose frame begins there, if one does, and where it ends."""
    length, checksum = _HEAD.unpack_from(raw, at)
    begin = at + _HEAD.size
    end = begin + length
    if end > len(raw) or length < _PARTS.size:
        return None, at
    partition, event, topic_length, key_length, value_length = _PARTS.unpack_from(raw, begin)
    topic_end = _PARTS.size + topic_length
    key_end = topic_end + key_length
    if key_end + value_length != length or crc32(payload := raw[begin:end]) != checksum:
        return None, at
    topic = payload[_PARTS.size : topic_end].decode()
    return Placed(Record(topic, payload[topic_end:key_end], payload[key_end:], bool(event)), partition), end
