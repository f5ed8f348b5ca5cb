"""What a store's syncing knows as a whole: calls under way, closed destinations, who has to be looked at again.

- **Budget**: so many calls a destination are in the outbox at a time; whoever comes later waits in its own row. So a
  backfill of a million customers costs no more outbox than a quiet day.
- **Gate**: a refusal that is about the connection (wrong token, wrong address, nothing answers) closes the destination
  for the store. One customer tries again now and then, and at once when the connection changes; when that one gets
  through, the gate opens.
- **Sweep**: a walk over all customers of the store, in buckets, that calls for whoever is not as it should be: after
  a gate opened, when the connection or what it maps has changed, and for those who waited for the budget.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from streams.engine.agent import Shard, Table

STORES: Final = Table("profiles.stores")
ROSTER: Final = Table("profiles.roster", disk=True)
BUCKET: Final = 100
MOST_UNDER_WAY: Final = 500
"""Calls of one (store, destination) in the outbox: 25 s of work at 20 calls a second; what is new waits no longer."""
GATE_RETRY_MS: Final = 300_000


@dataclass(slots=True)
class Gate:
    """A closed destination.

    Attributes:
        reason: for people.
        access: hash of the connection that did not work.
        customer: who tries again.
        retry_at: Unix ms.
    """

    reason: str
    access: str
    customer: str
    retry_at: int


@dataclass(slots=True)
class Trouble:
    """A destination has not taken a call of ours since then, closed or not.

    Attributes:
        reason: of the last one, and what to do.
        since: Unix ms.
    """

    reason: str
    since: int


@dataclass(slots=True)
class Sweep:
    """A walk over the roster: the next bucket, and whether to walk once more after the last."""

    bucket: int = 0
    again: bool = False


@dataclass(slots=True)
class StoreState:
    """One store's row."""

    count: int = 0
    options: str = ""
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    under_way: dict[str, int] = field(default_factory=dict)
    gates: dict[str, Gate] = field(default_factory=dict)
    troubles: dict[str, Trouble] = field(default_factory=dict)

    def started(self, destination: str) -> None:
        """Count a call."""
        self.under_way[destination] = self.under_way.get(destination, 0) + 1

    def ended(self, destination: str) -> None:
        """Count it off."""
        self.under_way[destination] = max(0, self.under_way.get(destination, 0) - 1)

    def room(self, destination: str) -> int:
        """Return how many more calls may be under way."""
        return MOST_UNDER_WAY - self.under_way.get(destination, 0)

    def want_sweep(self, destination: str) -> None:
        """Have everybody looked at: from the beginning once more when a sweep is on its way."""
        sweep = self.sweeps.setdefault(destination, Sweep())
        sweep.again = sweep.bucket > 0

    def swept(self, destination: str) -> None:
        """Go on to the next bucket."""
        sweep = self.sweeps[destination]
        sweep.bucket += 1
        if sweep.bucket * BUCKET < self.count:
            return
        del self.sweeps[destination]
        if sweep.again:
            self.want_sweep(destination)

    def close(self, destination: str, gate: Gate) -> None:
        """Close a destination, or keep it closed."""
        self.gates[destination] = gate

    def troubled(self, destination: str, reason: str, now: int) -> None:
        """Note that a call was not taken, for whatever it was about."""
        known = self.troubles.get(destination)
        self.troubles[destination] = Trouble(reason, now if known is None else known.since)

    def answered(self, destination: str) -> None:
        """Note that a destination works."""
        self.troubles.pop(destination, None)

    def open(self, destination: str) -> None:
        """Open a destination, and look at all who waited for it."""
        self.answered(destination)
        if self.gates.pop(destination, None) is not None:
            self.want_sweep(destination)


class StoreBook:
    """The stores of one turn's step, and their rosters of customers.

    Args:
        shard: the turn.
    """

    def __init__(self, shard: Shard) -> None:
        self._view = shard.table(STORES)
        self._roster = shard.table(ROSTER)
        self._open: dict[str, tuple[StoreState, dict[str, Any] | None]] = {}

    def get(self, store: str) -> StoreState:
        """Return a store's row."""
        if store not in self._open:
            row = self._view.get(store)
            self._open[store] = (state_of(row), row)
        return self._open[store][0]

    def names(self) -> list[str]:
        """Return the stores that have customers in this shard."""
        return [store for store, _ in self._view.items()]

    def enroll(self, store: str, customer: str) -> int:
        """Add a customer to the roster; return the bucket."""
        state = self.get(store)
        bucket = state.count // BUCKET
        state.count += 1
        self._roster[_key(store, bucket)] = [*self.members(store, bucket), customer]
        return bucket

    def strike(self, store: str, customer: str, bucket: int) -> None:
        """Remove a customer from the roster."""
        self._roster[_key(store, bucket)] = [one for one in self.members(store, bucket) if one != customer]

    def members(self, store: str, bucket: int) -> list[str]:
        """Return the customers of a bucket."""
        found: list[str] = self._roster.get(_key(store, bucket), [])
        return found

    def flush(self) -> None:
        """Write what has changed."""
        for store, (state, before) in self._open.items():
            row = asdict(state)
            if row != before and (before is not None or state != StoreState()):
                self._view[store] = row
        self._open.clear()


def _key(store: str, bucket: int) -> str:
    return f"{store}/{bucket:08d}"


def state_of(row: dict[str, Any] | None) -> StoreState:
    """Return what a row says; one of an earlier version knows of no troubles."""
    if row is None:
        return StoreState()
    return StoreState(
        count=row["count"], options=row["options"],
        sweeps={name: Sweep(**sweep) for name, sweep in row["sweeps"].items()},
        under_way=dict(row["under_way"]),
        gates={name: Gate(**gate) for name, gate in row["gates"].items()},
        troubles={name: Trouble(**trouble) for name, trouble in row.get("troubles", {}).items()},
    )  # fmt: skip
