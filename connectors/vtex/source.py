"""Everything that the readers of one store share."""

from dataclasses import dataclass, field
from typing import Any

from connectors.vtex.client import VtexClient
from connectors.vtex.cursors import Positions
from connectors.vtex.emission import Emitter
from connectors.vtex.journal import Build, Journal, Step
from connectors.vtex.masterdata import MasterData
from connectors.vtex.oms import Orders
from connectors.vtex.progress import FIRST_READING
from connectors.vtex.seen import Seen
from connectors.vtex.settings import PollerSettings
from connectors.vtex.status import STATUS, Status
from connectors.vtex.turns import Turns
from schemas.stores import StoreConnection


@dataclass(slots=True)
class Source:
    """One store, opened: its connection, its account's interfaces, its journal, and where its resources stand.

    Attributes:
        positions: of each resource, as last committed; see `position` and `move`.
        turns: of the process.
        status: what is wrong with which reader, for people.
        owed: orders that VTEX did not answer yet to others than the feed, which asks for them again.
    """

    store: StoreConnection
    settings: PollerSettings
    client: VtexClient
    journal: Journal
    positions: Positions
    turns: Turns = field(default_factory=Turns)
    master: MasterData = field(init=False)
    oms: Orders = field(init=False)
    emitter: Emitter = field(init=False)
    customers: Seen = field(init=False)
    orders: Seen = field(init=False)
    status: Status = field(init=False)
    owed: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.master = MasterData(self.client, self.settings.drain)
        self.oms = Orders(self.client)
        self.emitter = Emitter(self.store.store, self.store.vtex.account)
        self.customers = Seen(self.settings.customers.seen)
        self.orders = Seen(self.settings.customers.seen)
        self.status = Status(self.position(STATUS))

    @property
    def name(self) -> str:
        """The store's name."""
        return self.store.store

    def position(self, resource: str) -> dict[str, Any]:
        """Return a copy of where a resource stands; empty when it was never read."""
        return dict(self.positions.get(resource, {}))

    async def move(self, resource: str, position: dict[str, Any]) -> None:
        """Move a resource's cursor, in a step of its own."""
        await self.journal.write(self.moving(resource, position))

    def moving(self, resource: str, position: dict[str, Any]) -> Build:
        """Return what has a step move a resource's cursor."""

        def build(step: Step) -> None:
            step.cursor(self.name, resource, position)
            step.after.append(lambda: self._moved(resource, position))

        return build

    def _moved(self, resource: str, position: dict[str, Any]) -> None:
        self.positions[resource] = position
        if resource.endswith(FIRST_READING):
            self.status.right(resource)  # its look takes hours, and what went wrong at its start is over
