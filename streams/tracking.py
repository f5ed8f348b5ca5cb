"""The tracking agent: from what pages and back ends told (`pixel.events`) to what happened (`tracking.events`).

In: events as the collector received them. Kept: what was told before (seen.py) and the landings (landings.py). Out:
each event once, in one form: session, campaign and page mended, the time bounded by the receipt, amounts in minor
units, the device's kind, and `landing` on the arrivals from our campaigns. Left out, with their fate: events without
consent, bots, repetitions, conflicts (docs/tracking.md).
"""

from schemas import topics
from schemas.events import CONTENT_TYPE
from streams.engine.agent import Agent, Batch, Poison, Record, Shard, Table
from streams.journeys.news import QUIET, is_news
from streams.stores import KnownStore, Stores
from streams.suppressions import FORGOTTEN, SUPPRESSED, Suppressed
from streams.tracking_rules.amounts import value_event
from streams.tracking_rules.content import digest, digest_of
from streams.tracking_rules.device import classify
from streams.tracking_rules.envelope import Event, read, store_name, write
from streams.tracking_rules.landings import carries_campaign, land
from streams.tracking_rules.leaving_out import reason_to_leave_out
from streams.tracking_rules.moments import place_in_time
from streams.tracking_rules.natural_keys import natural_key
from streams.tracking_rules.origin import mend_origin
from streams.tracking_rules.seen import TABLES, Seen

LANDINGS = Table("tracking-landings", disk=True)
"""`store/digest of session and campaign` -> the arrivals that were told (streams/tracking_rules/landings.py)."""
CONFLICT = "conflict"
"""Why an event is dead: its id is known, with another body."""
_QUIET = (*CONTENT_TYPE, QUIET)


class TrackingAgent(Agent):
    """Deduplicates and enriches tracking events."""

    name = "tracking"
    inputs = (topics.PIXEL_EVENTS,)
    tables = (*TABLES, LANDINGS, SUPPRESSED)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Process events; one that is unreadable stops only itself."""
        work = _Work(batch, shard, self._stores)
        for record in batch:
            try:
                work.take(record)
            except Poison as error:
                batch.dead(record, str(error))


class _Work:
    """One batch: the views it needs, and the stores it has met."""

    def __init__(self, batch: Batch, shard: Shard, stores: Stores) -> None:
        self._batch = batch
        self._send = shard.send
        self._seen = Seen(shard)
        self._landings = shard.table(LANDINGS)
        self._suppressed = Suppressed(shard)
        self._stores = stores
        self._met: dict[bytes, tuple[str, KnownStore]] = {}

    def take(self, record: Record) -> None:
        """Give one record its fate.

        Raises:
            Poison: it is no event; nothing was staged for it.
            NotYet: its store is not known yet.
        """
        name, store = self._store_of(record.key)
        event = read(record, name)
        reason: str | None = reason_to_leave_out(event.data, store.connection.privacy)
        if reason is None and self._suppressed.told(store, event.data):
            reason = FORGOTTEN
        if reason is not None:
            self._batch.filtered(record, event.id, reason)
            return
        content = None if natural_key(event.data) else digest(event.data)
        place_in_time(event)
        mend_origin(event.data)
        value_event(event.data, store.connection.currency)
        verdict = self._seen.judge(event, content)
        if verdict == "conflict":
            self._batch.dead(record, CONFLICT)
            return
        # An order's action that was told before may still be the first sight of its session's arrival.
        landed = self._land(event) if verdict != "duplicate" or content is None else False
        if verdict == "duplicate" and not landed:
            self._batch.duplicate(record, event.id)
        else:
            self._pass_on(event, supplement=verdict != "new")
        self._seen.keep()

    def _land(self, event: Event) -> bool:
        """Add the landing that an event is, if it is one."""
        data = event.data
        if not carries_campaign(data):
            return False
        place = f"{event.store}/{digest_of(data['session'], data['utm']['campaign'])}"
        landed = land(event, self._landings.get(place))
        if landed is None:
            return False
        self._landings[place] = landed
        return True

    def _pass_on(self, event: Event, *, supplement: bool) -> None:
        classify(event.data)
        if supplement:
            event.data["supplement"] = True
        key, value = write(event)
        headers = CONTENT_TYPE if is_news(event.data) else _QUIET
        self._send(topics.TRACKING_EVENTS, key, value, headers)

    def _store_of(self, key: bytes) -> tuple[str, KnownStore]:
        prefix = key.partition(b"/")[0]
        met = self._met.get(prefix)
        if met is None:
            name = store_name(prefix)
            met = self._met[prefix] = (name, self._stores.of(name))
        return met
