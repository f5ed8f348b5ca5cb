"""Installing us takes nothing away: accepted events go on to Hellotext, as if the page had sent them there.

    tracking.events (accepted, unfiltered, once) ─▶ forward ┆▶ Hellotext
    pixel.identities (the values behind hashes) ──▶

In: events, acknowledgements and identifications; the values that came with them. Kept: values until their event comes
(or the event until its values do), who a session is, order actions until they have arrived. Out: calls, in order for
each session. Order actions are repeated until they succeed; nothing else can be told twice, so after an uncertain
answer it is not repeated, and a dead letter says so.
"""

from datetime import timedelta
from typing import Any, Final

import structlog
from pydantic import ValidationError

from schemas.clock import DAY_MS
from schemas.events import InvalidEventError, decode
from schemas.fates import EffectOutcome
from schemas.pixel import ORDER_ACTIONS, Identification
from schemas.topics import PIXEL_IDENTITIES, TRACKING_EVENTS
from streams.engine.agent import Agent, Batch, Effect, Poison, Record, Shard, Table, View
from streams.forward_bodies import (
    acknowledgement_body,
    event_body,
    identification_body,
    user_parameters,
)
from streams.letters import bury
from streams.profile_rules.destination import advice, closes
from streams.stores import Stores
from streams.suppressions import FORGOTTEN, SUPPRESSED, Suppressed

log = structlog.get_logger(__name__)

DESTINATION: Final = "hellotext-events"
"""Not `hellotext`: a rush of page views must not delay profiles and messages."""
KIND: Final = "hellotext.event"
SAID: Final = Table("forward.said", ttl=timedelta(days=1), disk=True)
"""`store/event` -> the `Identification` that came with the event, until the event comes."""
WAITING: Final = Table("forward.waiting", ttl=timedelta(days=1))
"""`store/event` -> an event whose values have not come: `data`, its `offset`, and `since` when it waits (Unix ms)."""
VISITORS: Final = Table("forward.visitors", ttl=timedelta(days=30), disk=True)
"""`store/session` -> who the session is: customer `id`, its `hash`, and the `source` that told it."""
ORDERS: Final = Table("forward.orders", ttl=timedelta(days=8))
"""`store/event` -> the call of an order action that has not arrived: see `_Step._pass_on`."""
LOAD: Final = Table("forward.load")
"""`store` -> `waiting` calls in the outbox, and until when (Unix ms) the address is taken for `closed`."""
OFF: Final = "forwarding is off"
MOST_WAITING: Final = 5_000
"""Events of a store in the outbox. Beyond that Hellotext is away or slower than the shop: what is new is left out."""
PATIENCE_MS: Final = 60_000
"""An event waits so long for its values: acknowledged before it was, they can only be some batches behind."""
CLOSED_MS: Final = 300_000
"""After a refusal of the store's connection nothing but order actions is passed on for so long."""
ORDERS_KEPT_MS: Final = 7 * DAY_MS
"""An order action is repeated for so long; its row outlives that by a day."""
NOWHERE: Final = 0
"""Revision of a call whose event stands in no topic with all that it needs; else it is the event's offset and one."""
TWICE: Final = (
    "Hellotext may have it already, and would count it twice: look there; `dead-letters remove` puts the letter away"
)
VALUES_GONE: Final = (
    "the values that came with it are kept for a day only, and not here: the shop's page tells them again at the next "
    "visit; `dead-letters remove` puts the letter away"
)
_PAUSES_MS: Final = (5_000, 30_000, 120_000, 600_000)


class ForwardAgent(Agent):
    """Passes events on.

    Args:
        stores: the connected stores.
    """

    name = "forward"
    inputs = (PIXEL_IDENTITIES, TRACKING_EVENTS)
    tables = (SAID, WAITING, VISITORS, ORDERS, LOAD, SUPPRESSED)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Take in values, or pass events on."""
        step = _Step(self._stores, shard)
        for record in batch:
            if batch.topic == PIXEL_IDENTITIES:
                step.said(record)
                batch.passed(record)  # the profiles agent accounts for them
            elif not step.forwards(record.store):
                batch.filtered(record, "", OFF)  # named by its position: it need not be read
            else:
                step.event(batch, record)

    def outcome(self, outcome: EffectOutcome, shard: Shard) -> None:
        """Hear whether an event has arrived."""
        _Step(self._stores, shard).outcome(outcome)

    def tick(self, now: int, shard: Shard) -> None:
        """Let go of events whose values never came."""
        for key, waiting in list(shard.table(WAITING).items()):
            if now - waiting["since"] >= PATIENCE_MS:
                _Step(self._stores, shard).give_up_waiting(key, waiting)


def taken_back(shard: Shard, store: str) -> None:
    """Take note that one call of a store was taken out of the outbox: its outcome will not come."""
    _count(shard.table(LOAD), store, -1)


class _Step:
    """One step of a turn."""

    def __init__(self, stores: Stores, shard: Shard) -> None:
        self._stores = stores
        self._suppressed = Suppressed(shard)
        self._shard = shard
        self._said = shard.table(SAID)
        self._waiting = shard.table(WAITING)
        self._visitors = shard.table(VISITORS)
        self._orders = shard.table(ORDERS)
        self._load = shard.table(LOAD)
        self._forwards: dict[str, bool] = {}

    def forwards(self, store: str) -> bool:
        """Say whether a store's events go on to Hellotext; asked of every event, so that it is looked up once."""
        forwards = self._forwards.get(store)
        if forwards is None:
            forwards = self._forwards[store] = self._stores.of(store).connection.forward
        return forwards

    def said(self, record: Record) -> None:
        """Take in the values that came with an event; a tombstone takes them back."""
        store = record.store
        if record.value is None:
            del self._visitors[record.key.decode("utf-8", "replace")]
            return
        try:
            row = Identification.model_validate_json(record.value).model_dump(mode="json", exclude_none=True)
        except ValidationError:
            return  # the profiles agent writes the dead letter
        known = self._stores.of(store)
        if not known.connection.forward or self._suppressed.told(known, row):
            return
        if row.get("session") and row.get("customer"):
            visitor = {"hash": row.get("customer_hash"), "id": row["customer"], "source": row.get("source")}
            self._visitors[f"{store}/{row['session']}"] = visitor
        key = f"{store}/{row['event_id']}"
        waiting = self._waiting.get(key)
        if waiting is None:
            self._said[key] = row
        else:
            del self._waiting[key]
            self._pass_on(store, row["event_id"], waiting["data"], row, waiting.get("offset"))

    def event(self, batch: Batch, record: Record) -> None:
        """Give one event its fate, and pass it on unless that is `filtered`, or its values are still to come.

        Raises:
            Poison: it is no event of the tracking agent.
        """
        try:
            envelope = decode(record.value)
        except InvalidEventError as error:
            raise Poison(str(error)) from None
        store, event, data = envelope["store"], envelope["id"], envelope["data"]
        if store != record.store or not data.get("at"):
            raise Poison("the event is not one of the tracking agent's")
        reason = self._reason_to_leave_out(store, data)
        if reason is not None:
            batch.filtered(record, event, reason)
            return
        key = f"{store}/{event}"
        row = self._said.get(key)
        if row is None and _has_values(data):
            self._waiting[key] = {"data": data, "since": self._shard.now, "offset": record.offset}
            return
        if row is not None:
            del self._said[key]
        self._pass_on(store, event, data, row, record.offset)

    def give_up_waiting(self, key: str, waiting: dict[str, Any]) -> None:
        """Pass an event on without its values; an identification without values tells nothing."""
        del self._waiting[key]
        store, _, event = key.partition("/")
        if waiting["data"].get("kind") == "identification":
            log.info("an identification is not passed on: its values never came", store=store, event_id=event)
        else:
            self._pass_on(store, event, waiting["data"], None, waiting.get("offset"))

    def outcome(self, outcome: EffectOutcome) -> None:
        """Hear whether an event has arrived; an order action that has not is sent again."""
        store = outcome.store
        _count(self._load, store, -1, closed=self._shard.now + CLOSED_MS if closes(outcome) else None)
        event = outcome.effect.partition("/")[2].rpartition("/")[0]
        row = self._orders.get(f"{store}/{event}")
        if row is not None:
            self._order_outcome(f"{store}/{event}", event, row, outcome)
        elif outcome.status != "done":
            self._bury(outcome, event)

    def _order_outcome(self, key: str, event: str, row: dict[str, Any], outcome: EffectOutcome) -> None:
        refused = outcome.status == "rejected" and not closes(outcome)
        if outcome.status == "done":
            del self._orders[key]
        elif refused or self._shard.now - row["since"] > ORDERS_KEPT_MS:
            del self._orders[key]
            self._bury(outcome, event)
        else:
            pause = _PAUSES_MS[min(row["tries"], len(_PAUSES_MS) - 1)]
            again = {**row, "tries": row["tries"] + 1}
            self._orders[key] = again
            self._stage(outcome.store, event, again, self._shard.now + pause)

    def _reason_to_leave_out(self, store: str, data: dict[str, Any]) -> str | None:
        if self._suppressed.told(self._stores.of(store), data):
            return FORGOTTEN
        if data.get("supplement"):
            return "told before"
        if data.get("action") in ORDER_ACTIONS:
            return None
        load = self._load.get(store)
        if load and load["closed"] > self._shard.now:
            return "hellotext refuses"
        return "backlog" if load and load["waiting"] >= MOST_WAITING else None

    def _pass_on(
        self, store: str, event: str, data: dict[str, Any], said: dict[str, Any] | None, offset: int | None
    ) -> None:  # fmt: skip
        kind = data.get("kind", "event")
        if kind == "identification":
            body = identification_body(data, said or {})
        elif kind == "acknowledgement":
            body = acknowledgement_body(data)
        else:
            body = event_body(data, user_parameters(said) if said else self._visitor(store, data))
        row = {
            "kind": kind, "body": body, "lane": data.get("session") or event, "since": self._shard.now, "tries": 0,
            "offset": offset,
        }  # fmt: skip
        repeatable = data.get("action") in ORDER_ACTIONS
        if repeatable:
            self._orders[f"{store}/{event}"] = row
        self._stage(store, event, row, 0, repeatable=repeatable)

    def _visitor(self, store: str, data: dict[str, Any]) -> dict[str, Any]:
        """Return who the session is, when the event names the same customer id by its hash (A3.1)."""
        visitor = self._visitors.get(f"{store}/{data.get('session')}")
        if visitor is None or not data.get("customer_hash") or visitor["hash"] != data["customer_hash"]:
            return {}
        return {name: visitor[name] for name in ("id", "source") if visitor[name]}

    def _stage(
        self, store: str, event: str, row: dict[str, Any], not_before: int, *, repeatable: bool = True
    ) -> None:  # fmt: skip
        _count(self._load, store, 1)
        self._shard.effect(Effect(
            id=f"event/{event}/{row['tries']}", agent="forward", kind=KIND, store=store, destination=DESTINATION,
            key=f"session/{row['lane']}", payload={"kind": row["kind"], "body": row["body"]}, repeatable=repeatable,
            revision=_place(row), not_before=not_before,
        ))  # fmt: skip

    def _bury(self, outcome: EffectOutcome, event: str) -> None:
        """Write a dead letter that refers to the event, which stands in `tracking.events` for thirty days."""
        reason, obstacle = outcome.reason or f"Hellotext answered {outcome.code}", None
        if closes(outcome):
            reason = advice(outcome)
        if outcome.status == "uncertain":
            reason, obstacle = f"uncertain, so not repeated: {reason}", TWICE
        elif outcome.revision == NOWHERE:
            obstacle = VALUES_GONE
        bury(
            self._shard, outcome.store, f"forward/{event}", TRACKING_EVENTS, outcome.key.encode(), step="forward",
            reason=reason, detail=f"event {event}", obstacle=obstacle, referred=outcome.revision != NOWHERE,
            offset=None if outcome.revision == NOWHERE else outcome.revision - 1,
        )  # fmt: skip


def _count(loads: View, store: str, change: int, *, closed: int | None = None) -> None:
    """Count a store's calls in the outbox, and note until when nothing new is to join them."""
    row = loads.get(store, {"waiting": 0, "closed": 0})
    until = row["closed"] if closed is None else closed
    loads[store] = {"waiting": max(0, row["waiting"] + change), "closed": until}


def _place(row: dict[str, Any]) -> int:
    """Return what an effect remembers of where its event stands: its offset and one, or `NOWHERE`.

    The values of an identification are not there (contracts/hellotext A3.2): without them there is nothing to tell.
    """
    offset = row.get("offset")
    return NOWHERE if offset is None or row["kind"] == "identification" else int(offset) + 1


def _has_values(data: dict[str, Any]) -> bool:
    """Say whether the collector kept values of this event in `pixel.identities` (connectors/pixel/records.py)."""
    return data.get("kind") == "identification" or bool(data.get("email_hash") or data.get("phone_hash"))
