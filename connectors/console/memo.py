"""Figures that many viewers ask for at once are added up once: remembered by what they depend on, a bounded number."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final

LIMIT: Final = 256


class Memo:
    """Remembers results; the one not asked for longest goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what was made for a key, making it where nobody has yet."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = self._kept[key] = make()
        if len(self._kept) > LIMIT:
            self._kept.popitem(last=False)
        return made
