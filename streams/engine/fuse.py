"""Fuses: an agent that fails on nearly everything is stopped instead of draining its topic into dead letters."""

from collections import defaultdict
from collections.abc import Mapping

from streams.engine.errors import AgentStopped
from streams.engine.fates import reason_of

BLOWS_AT = 50
"""Failures before a fuse may blow: fewer are a handful of bad records, even when nothing good came between."""
SHARE = 0.9
WINDOW = 500


class Fuses:
    """One fuse for each agent and topic of a worker, over roughly the last `WINDOW` records.

    A fuse does not blow for one store's sake: while the agent copes with another store, what it fails on is that
    store's matter, and becomes dead letters.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], list[int]] = {}
        self._well: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def good(self, agent: str, topic: str, records: Mapping[str, int]) -> None:
        """Count records that went well, by store."""
        self._well[agent, topic].update(records)
        seen = self._seen.get((agent, topic))
        if seen is not None:
            seen[0] += sum(records.values())
            self._forget(agent, topic, seen)

    def bad(self, agent: str, topic: str, store: str, error: Exception) -> None:
        """Count a record of a store on which the agent raised.

        Raises:
            AgentStopped: when the fuse blows.
        """
        well = self._well[agent, topic]
        well.discard(store)
        seen = self._seen.setdefault((agent, topic), [0, 0])
        seen[1] += 1
        good, failed = seen
        if failed >= BLOWS_AT and failed >= SHARE * (good + failed) and not well:
            raise AgentStopped(
                agent, topic,
                f"agent {agent} raised on {failed} of its last {good + failed} records of {topic}, the last time "
                f"{reason_of(error)}: this looks like a bug, not like bad records. The topic is stopped and nothing "
                f"more of it is consumed. Repair the agent and restart the worker; then `dead-letters redrive` the "
                f"{failed} records.",
            )  # fmt: skip
        self._forget(agent, topic, seen)

    def _forget(self, agent: str, topic: str, seen: list[int]) -> None:
        if sum(seen) > WINDOW:
            seen[0] = min(seen[0], WINDOW) // 2
            seen[1] //= 2
            if not seen[1]:
                del self._seen[agent, topic]
