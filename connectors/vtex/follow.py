"""Following changes of one entity: windows over coalesce(updatedIn, createdIn), each read whole, then their contents.

The cursor `settled` is VTEX's time up to which everything the index can be expected to show was read. A look begins
`overlap` before it, since the index lags without a bound (NOTES 2.3); the documents that were read before cost only
their ids. Where the overlap holds so much that even that is too dear, looks in between go back a little way only: they
make changes fresh, and move no cursor.

"Nothing changed" is not believed (NOTES 2.1): from time to time a document that the index has shown before must be
found again, and what was emitted lately must be among what the window shows. What is missing is read from storage,
which also finds deletes.
"""

import time
from collections.abc import Iterable
from typing import Any, Final

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.customer import ID_FIELDS, OWNER_FIELDS, customer_id
from connectors.vtex.errors import Unreliable
from connectors.vtex.instants import Window, version_ms, version_of
from connectors.vtex.journal import Step, in_turn
from connectors.vtex.masterdata import Row
from connectors.vtex.people import SETTLED_MS, People
from connectors.vtex.seen import Seen, Sighting
from connectors.vtex.source import Source
from connectors.vtex.windows import Found, WindowReader
from schemas.clock import to_text
from schemas.vtex import ReadBy

log = structlog.get_logger(__name__)

SLACK_MS: Final = 3_600_000
"""Windows reach into the future by so much: VTEX's machines need not agree on the time."""
MISSED: Final = 200
"""Documents that a window should show and does not, looked up at a time."""
RUSH: Final = 50
"""More changes than this in one look go behind what other readers want fresh."""


class Follower:
    """Follows customers; see AddressFollower for addresses.

    Args:
        source: the store.
        people: reads and writes customers.
    """

    resource = "customers"
    entity: str = "CL"
    fields: tuple[str, ...] = ID_FIELDS
    read_by: ReadBy = "search"

    def __init__(self, source: Source, people: People) -> None:
        self._source = source
        self._people = people
        self._settings = source.settings.customers
        self._reader = WindowReader(source.master, self.entity, self.fields, self._settings)
        self._fresh_from: int | None = None
        self._pages = 1
        self._deep_at = self._doubted_at = self._saved_at = float("-inf")

    @property
    def seen(self) -> Seen:
        """What needs no reading any more."""
        return self._source.customers

    async def look(self) -> int:
        """Look once; returns the number of events written.

        Raises:
            VtexError: the look failed, or (`Found.crowded`) did not show everything, and the cursor stays.
        """
        position, now = self._source.position(self.resource), self._source.client.now()
        for name in ("settled", "swept"):  # VTEX's clock may have gone back: no window begins after its end
            if name in position:
                position[name] = min(int(position[name]), now)
        if "settled" not in position:
            # Whatever changes from the backfill's beginning on is ours to see; what lies before, the backfill's.
            began = self._source.position("customers.backfill").get("began", now)
            position = {"settled": began, "swept": now}
        window, deep, swept = self._window(position, now)
        found = await self._reader.read(window, Urgency.FOLLOW)
        changed = [row for id, row in found.rows.items() if not self.seen.knows(id, version_of(row))]  # noqa: A001
        doubted = deep and await self._doubt(found, position)
        missed = self._missed(found, window) if doubted else []
        moved = dict(position)
        if deep and found.whole:
            moved["settled"] = now
            if swept:
                moved["swept"] = now
        if found.rows:
            moved["canary"] = max(found.rows, key=lambda one: version_of(found.rows[one]))
        written = await self._emit(changed, missed, moved, now)
        self._fresh_from, self._pages = now, found.pages
        if found.crowded is not None:
            raise found.crowded
        return written

    def _window(self, position: dict[str, Any], now: int) -> tuple[Window, bool, bool]:
        settled, swept = int(position["settled"]), False
        every = self._pages / (self._settings.recheck_share * self._source.client.gate.budget.rate)
        deep = self._fresh_from is None or time.monotonic() - self._deep_at >= every
        if not deep:
            return Window(int((self._fresh_from or now) - self._settings.fresh * 1000), now + SLACK_MS), False, False
        self._deep_at = time.monotonic()
        back = self._settings.overlap
        if now - int(position.get("swept", 0)) >= self._settings.sweep_every * 1000:
            back, swept = self._settings.sweep, True
        return Window(int(settled - back * 1000), now + SLACK_MS), True, swept

    async def _doubt(self, found: Found, position: dict[str, Any]) -> bool:
        """Prove from time to time that the index answers truly; returns whether this was such a time.

        Raises:
            Unreliable: it does not: an empty answer where a document must be.
        """
        if time.monotonic() - self._doubted_at < self._settings.doubt:
            return False
        canary = position.get("canary")
        if not found.rows and canary is not None:
            page = await self._source.master.search(
                self.entity, ("id",), f"id={canary}", start=0, count=1, urgency=Urgency.FOLLOW
            )
            if not page.rows and await self._stands(canary):
                raise Unreliable(
                    f"the index of account {self._source.client.account} shows nothing of {self.entity}, not even a "
                    "document that stands in storage: its cursor waits until it answers truly"
                )
        self._doubted_at = time.monotonic()
        return True

    async def _stands(self, canary: str) -> bool:
        return await self._source.master.document(self.entity, canary, ("id",), Urgency.FOLLOW) is not None

    def _missed(self, found: Found, window: Window) -> list[str]:
        since = self.seen.since(to_text(window.start))
        missed = [id for id in since if id not in found.rows]  # noqa: A001
        return missed[:MISSED]

    async def _emit(self, changed: list[Row], missed: list[str], moved: dict[str, Any], now: int) -> int:
        ids = [*await self._owners(sorted(changed, key=version_of)), *missed]
        due = time.monotonic() - self._saved_at >= self._source.settings.save
        if not (changed or missed or due):
            self._source.positions[self.resource] = moved
            return 0

        def noted(step: Step) -> None:
            step.after.append(lambda: self._emitted(changed, now))

        last = in_turn(self._source.moving(self.resource, moved), noted)
        urgency = Urgency.FOLLOW if len(ids) <= RUSH else Urgency.REPAIR
        written = await self._people.emit(ids, self.read_by, urgency, last, spare=True)
        self._saved_at = time.monotonic()
        return written

    async def _owners(self, rows: list[Row]) -> list[str]:
        """Return the customers whom changed rows are about."""
        return [customer_id(row) for row in rows]

    def _emitted(self, changed: Iterable[Row], now: int) -> None:
        """Note what needs no reading any more; of customers, their readings were noted."""


class OtherFollower(Follower):
    """Follows an entity whose documents are about customers, and move no customer's `updatedIn` (NOTES 2.6)."""

    def __init__(self, source: Source, people: People) -> None:
        super().__init__(source, people)
        self._seen = Seen(self._settings.seen)

    @property
    def seen(self) -> Seen:
        """What needs no reading any more."""
        return self._seen

    def _missed(self, found: Found, window: Window) -> list[str]:  # noqa: ARG002
        return []  # one that was taken away changes nobody

    def _emitted(self, changed: Iterable[Row], now: int) -> None:
        for row in changed:
            at = version_ms(version_of(row))
            settled = at is not None and now - at >= SETTLED_MS
            self._seen.note(customer_id(row), Sighting(version_of(row), "", now, strong=False, settled=settled))


class AddressFollower(OtherFollower):
    """Follows addresses: the owner of a changed one is emitted again."""

    resource = "addresses"
    entity = "AD"
    fields = OWNER_FIELDS
    read_by: ReadBy = "address"

    async def _owners(self, rows: list[Row]) -> list[str]:
        return self._people.owners(rows)


class OptInFollower(OtherFollower):
    """Follows the opt-ins of a store that keeps them in an entity of its own."""

    resource = "optins"
    read_by: ReadBy = "search"

    def __init__(self, source: Source, people: People, entity: str) -> None:
        self.entity, self.fields = entity, people.opt_ins.fields
        super().__init__(source, people)

    async def _owners(self, rows: list[Row]) -> list[str]:
        return await self._people.opt_ins.customers(rows, Urgency.FOLLOW)
