"""The catalogue: every topic, once, as data. Nothing else spells a topic name (DESIGN section 2)."""

from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.clock import DAY_MS
from schemas.events import CloudEvent
from schemas.fates import DeadLetter, EffectOutcome, FateSummary
from schemas.kpis import Attribution, CampaignKpis
from schemas.messages import Campaign, MessageReport, MessageRequest
from schemas.partition import key_of
from schemas.pixel import Identification, TrackingEvent
from schemas.privacy import ErasureRequest, Suppression
from schemas.profiles import ProfileState
from schemas.stores import StoreConnection
from schemas.vtex import Cursor, Customer, CustomerDeleted, CustomerRead, Hint, Order, OrderRead

YEAR_MS: Final = 365 * DAY_MS
Cleanup = Literal["delete", "compact", "compact,delete"]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its key, its model, how long it keeps what, and who writes and reads it.

    Attributes:
        name: without the prefix.
        key_parts: what the record keys are made of, the store first.
        model: of the values: a `Model`, or a `CloudEvent` around one.
        cleanup: Kafka's `cleanup.policy`.
        retention_ms: how long `delete` keeps a record; None is for ever.
        personal: whether values may hold what tells who someone is (schemas/personal.py).
        writers: processes and agents; those who forget people write tombstones besides (docs/privacy.md).
        readers: processes, agents and people; `forget` reads everything.
        summary: one sentence for people.
    """

    name: str
    key_parts: tuple[str, ...]
    model: Any
    cleanup: Cleanup
    retention_ms: int | None
    personal: bool
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    summary: str

    def key(self, store: str, *parts: str | int) -> bytes:
        """Return a record key, `store/part/...`; the parts are those of `key_parts` after the store."""
        return key_of(store, *parts)

    def config(self) -> dict[str, str]:
        """Return the topic's Kafka configuration."""
        config: dict[str, str] = {"cleanup.policy": self.cleanup}
        if "delete" in self.cleanup:
            config["retention.ms"] = str(self.retention_ms if self.retention_ms is not None else -1)
        if "compact" in self.cleanup:
            # A tombstone must have removed a personal value within a day (DESIGN section 11).
            config["max.compaction.lag.ms"] = str(DAY_MS)
            config["delete.retention.ms"] = str(DAY_MS)
        return config


def _topic(  # noqa: PLR0917  a row of the catalogue reads like the table in DESIGN section 2
    name: str,
    key: str,
    model: Any,
    kept: tuple[Cleanup, int | None],
    writers: str,
    readers: str,
    summary: str,
    *,
    personal: bool = False,
) -> Topic:
    return Topic(
        name, tuple(key.split("/")), model, kept[0], kept[1], personal,
        tuple(writers.split(", ")), tuple(readers.split(", ")), summary,
    )  # fmt: skip


STORES: Final = _topic(
    "stores", "store", StoreConnection, ("compact", None), "console, CLI", "everyone",
    "Connected stores, secrets sealed.")  # fmt: skip
CAMPAIGNS: Final = _topic(
    "campaigns", "store/campaign", Campaign, ("compact", None), "CLI, console", "kpis, CLI, console",
    "Campaigns, with what no report tells: recipients, deliveries, cost.")  # fmt: skip
VTEX_HINTS: Final = _topic(
    "vtex.hints", "store", Hint, ("delete", DAY_MS), "collector", "poller",
    "Fetch this customer or order now.")  # fmt: skip
VTEX_CHANGES: Final = _topic(
    "vtex.changes", "store/customer-or-order", CloudEvent[CustomerRead | CustomerDeleted | OrderRead],
    ("compact,delete", 7 * DAY_MS), "poller", "customers, orders, poller",
    "What the poller read: customer changed or deleted, order changed.", personal=True)  # fmt: skip
VTEX_CURSORS: Final = _topic(
    "vtex.cursors", "store/resource", Cursor, ("compact", None), "poller", "poller, console",
    "How far each resource of each store has been read.")  # fmt: skip
VTEX_CUSTOMERS: Final = _topic(
    "vtex.customers", "store/customer", Customer, ("compact", None), "customers", "profiles, attribution, kpis, poller",
    "Customers: last state, version, changed fields.", personal=True)  # fmt: skip
VTEX_ORDERS: Final = _topic(
    "vtex.orders", "store/order", Order, ("compact,delete", 2 * YEAR_MS), "orders", "attribution",
    "Orders: what attribution needs.")  # fmt: skip
PIXEL_EVENTS: Final = _topic(
    "pixel.events", "store/session", CloudEvent[TrackingEvent], ("delete", 30 * DAY_MS), "collector", "tracking",
    "Tracking events as received, personal values replaced by their hashes.")  # fmt: skip
PIXEL_IDENTITIES: Final = _topic(
    "pixel.identities", "store/session", Identification, ("compact,delete", 30 * DAY_MS), "collector",
    "profiles, forward", "The personal values that identifications told.", personal=True)  # fmt: skip
TRACKING_EVENTS: Final = _topic(
    "tracking.events", "store/session", CloudEvent[TrackingEvent], ("delete", 30 * DAY_MS), "tracking",
    "attribution, kpis, forward", "Tracking events, deduplicated and enriched.")  # fmt: skip
MESSAGE_REQUESTS: Final = _topic(
    "message.requests", "store/message", MessageRequest, ("compact,delete", 30 * DAY_MS), "CLI",
    "messages, attribution, kpis", "Messages to send.", personal=True)  # fmt: skip
MESSAGE_REPORTS: Final = _topic(
    "message.reports", "store/message", CloudEvent[MessageReport], ("delete", 2 * YEAR_MS), "collector, messages",
    "attribution, kpis", "What vendors say happened to messages.")  # fmt: skip
EFFECTS_OUTCOMES: Final = _topic(
    "effects.outcomes", "store/effect", EffectOutcome, ("delete", 7 * DAY_MS), "effect runner", "every agent",
    "What calls to destinations ended with.")  # fmt: skip
PROFILES: Final = _topic(
    "profiles", "store/customer", ProfileState, ("compact", None), "profiles", "console, analysts",
    "Where each customer stands at each destination, and by which channels it can be reached.")  # fmt: skip
ATTRIBUTIONS: Final = _topic(
    "attributions", "store/order", Attribution, ("compact", None), "attribution", "kpis, console, analysts",
    "The one explanation of each order.")  # fmt: skip
KPI_CAMPAIGNS: Final = _topic(
    "kpi.campaigns", "store/campaign/basis/date/currency", CampaignKpis, ("compact", None), "kpis",
    "analysts, console", "Campaign KPIs.")  # fmt: skip
EVENT_FATES: Final = _topic(
    "event.fates", "store/agent/topic/offset/part", FateSummary, ("delete", 30 * DAY_MS), "every agent",
    "audit, console",
    "For each batch and store: offsets consumed, the count of each fate, what was not counted and why.")  # fmt: skip
DEAD_LETTERS: Final = _topic(
    "dead.letters", "store/letter", DeadLetter, ("compact,delete", 90 * DAY_MS), "everyone", "CLI, console",
    "What could not be processed, with its original bytes.", personal=True)  # fmt: skip
PRIVACY_REQUESTS: Final = _topic(
    "privacy.requests", "store/request/part", ErasureRequest, ("compact,delete", 30 * DAY_MS), "CLI", "privacy",
    "Who has to be forgotten, by hashes and ids; removed when done.")  # fmt: skip
PRIVACY_SUPPRESSIONS: Final = _topic(
    "privacy.suppressions", "store/hash", Suppression, ("compact", None), "privacy", "suppressions, CLI",
    "Hashes of forgotten people, so that nothing brings them back.")  # fmt: skip

TOPICS: Final = (
    STORES, CAMPAIGNS, VTEX_HINTS, VTEX_CHANGES, VTEX_CURSORS, VTEX_CUSTOMERS, VTEX_ORDERS, PIXEL_EVENTS,
    PIXEL_IDENTITIES, TRACKING_EVENTS, MESSAGE_REQUESTS, MESSAGE_REPORTS, EFFECTS_OUTCOMES, PROFILES, ATTRIBUTIONS,
    KPI_CAMPAIGNS, EVENT_FATES, DEAD_LETTERS, PRIVACY_REQUESTS, PRIVACY_SUPPRESSIONS,
)  # fmt: skip
BY_NAME: Final = {topic.name: topic for topic in TOPICS}
