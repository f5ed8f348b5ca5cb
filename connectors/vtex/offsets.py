"""Which offsets of the hints may be committed: those before the first that is still being read. Pure."""

from collections.abc import Callable


class Offsets:
    """Offsets under way, by partition."""

    def __init__(self) -> None:
        self._open: dict[int, dict[int, None]] = {}
        self._next: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._era = 0

    def begun(self, partition: int, offset: int) -> Callable[[], None]:
        """Note an offset as under way; returns what notes it as done."""
        self._open.setdefault(partition, {})[offset] = None
        self._next[partition] = offset + 1
        era = self._era

        def done() -> None:
            if era == self._era:
                self._open[partition].pop(offset, None)

        return done

    def due(self) -> dict[int, int]:
        """Return for each partition the offset to commit, where it has moved since the last time."""
        found = {}
        for partition, after in self._next.items():
            offset = next(iter(self._open[partition]), after)
            if self._told.get(partition) != offset:
                found[partition] = self._told[partition] = offset
        return found

    def forget(self) -> None:
        """Forget everything: the partitions are other ones now."""
        self._era += 1
        self._open, self._next, self._told = {}, {}, {}
