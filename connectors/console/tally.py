"""How many customers are in which state, from the compacted topic `profiles`, at some 20 bytes a customer.

Counting corrections needs each customer's last state. A dict of a million takes 100 MB; here a customer is a 64-bit
hash of its key and 16 bits of state in open-addressed arrays. They are split in many small ones, since one large
array would stop the event loop while it grows.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from schemas.partition import store_of

DESTINATIONS: Final = ("hellotext", "infobip")
STATES: Final = ("pending", "synced", "uncertain", "failed", "unreachable", "deleted")
_PRESENT: Final = 1 << 15
_REACH: Final = {"sms": 1 << 8, "whatsapp": 1 << 9}
_SHARED: Final = 1 << 10
_PARTS: Final = 1024
_MASK: Final = (1 << 64) - 1


class CompactMap:
    """Maps byte keys to 16-bit codes; 0 is "absent". Keys themselves are not kept."""

    def __init__(self) -> None:
        self._keys = [array("Q", bytes(8 * 8)) for _ in range(_PARTS)]
        self._codes = [array("H", bytes(8 * 2)) for _ in range(_PARTS)]
        self._used = [0] * _PARTS
        self.size = 0

    def put(self, key: bytes, code: int) -> int:
        """Set a key's code and return the one before."""
        hashed = (hash(key) & _MASK) or 1
        part = hashed % _PARTS
        keys, codes = self._keys[part], self._codes[part]
        slot = _slot(keys, hashed)
        if keys[slot] == 0:
            if code == 0:
                return 0
            keys[slot] = hashed
            self._used[part] += 1
        before, codes[slot] = codes[slot], code
        self.size += (code != 0) - (before != 0)
        if self._used[part] * 3 > len(keys) * 2:
            self._grow(part)
        return before

    def __contains__(self, key: bytes) -> bool:
        hashed = (hash(key) & _MASK) or 1
        part = hashed % _PARTS
        keys = self._keys[part]
        return self._codes[part][_slot(keys, hashed)] != 0

    def _grow(self, part: int) -> None:
        old_keys, old_codes = self._keys[part], self._codes[part]
        live = [(key, code) for key, code in zip(old_keys, old_codes, strict=True) if code]
        length = 8
        while len(live) * 3 > length:
            length *= 2
        keys, codes = array("Q", bytes(8 * length)), array("H", bytes(2 * length))
        for key, code in live:
            slot = _slot(keys, key)
            keys[slot], codes[slot] = key, code
        self._keys[part], self._codes[part], self._used[part] = keys, codes, len(live)


def _slot(keys: "array[int]", hashed: int) -> int:
    length = len(keys)
    slot = (hashed // _PARTS) % length
    while keys[slot] not in {0, hashed}:
        slot = (slot + 1) % length
    return slot


@dataclass(slots=True)
class Customers:
    """One store's customers, counted."""

    total: int = 0
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By (destination, state)."""
    reach: Counter[str] = field(default_factory=Counter)
    shared: int = 0

    def of(self, destination: str) -> dict[str, int]:
        """Return how many customers are in each state at a destination, states nobody is in left out."""
        return {state: count for state in STATES if (count := self.states[destination, state])}


class Tally:
    """Counts customers by store, destination and state.

    Args:
        limit: customers counted at most; others are left out and `left_out` says so.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._codes = CompactMap()
        self._stores: dict[str, Customers] = {}
        self.left_out = False

    def of(self, store: str) -> Customers:
        """Return a store's counts."""
        return self._stores.get(store) or Customers()

    def apply(self, key: bytes, value: bytes | None) -> str:
        """Take in a row of `profiles`; returns its store."""
        store = store_of(key)
        code = 0 if value is None else _code(orjson.loads(value))
        if self._codes.size >= self._limit and key not in self._codes:
            self.left_out = True
            return store
        before = self._codes.put(key, code)
        counts = self._stores.setdefault(store, Customers())
        _count(counts, before, -1)
        _count(counts, code, 1)
        return store


def _code(row: dict[str, Any]) -> int:
    code = _PRESENT
    destinations = row.get("destinations") or {}
    for place, name in enumerate(DESTINATIONS):
        state = (destinations.get(name) or {}).get("state")
        if state in STATES:
            code |= (STATES.index(state) + 1) << (4 * place)
    reach = row.get("reach") or {}
    code |= sum(bit for channel, bit in _REACH.items() if reach.get(channel))
    return code | (_SHARED if row.get("shared_with") else 0)


def _count(counts: Customers, code: int, by: int) -> None:
    if not code:
        return
    counts.total += by
    for part in _parts(code):
        counts.states[part] += by
    for channel, bit in _REACH.items():
        if code & bit:
            counts.reach[channel] += by
    if code & _SHARED:
        counts.shared += by


def _parts(code: int) -> Iterator[tuple[str, str]]:
    for place, name in enumerate(DESTINATIONS):
        state = code >> (4 * place) & 15
        if state:
            yield name, STATES[state - 1]
