"""What an operator may choose about the poller; read by the front door and handed in. Times are in seconds."""

from dataclasses import dataclass, field
from typing import Final

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class CallSettings:
    """How often and how patiently VTEX is called, per account.

    Attributes:
        per_minute: what the account allows; 6,000 is the one limit that VTEX publishes (NOTES 5). A store may have
            its own in its connection.
        floor: share of that which is left to the shop's own use; beyond the limit even its admin may fail.
        burst: calls that may follow one another at once after a rest.
        concurrency: calls under way at once; 5 to 10 is what VTEX's own advice allows (NOTES 2.9).
        timeout: of one call.
        attempts: of one call, before its reader gives up and comes back later.
        backoff: first wait between attempts; it doubles, with jitter, up to `backoff_limit`.
        throttled: silence of the whole account after a 429 without Retry-After (NOTES 5: one minute).
        breaker: failures in a row that open the circuit.
        breaker_wait: how long it stays open at first; it doubles up to `breaker_limit`.
    """

    per_minute: int = 6000
    floor: float = 0.4
    burst: int = 10
    concurrency: int = 8
    timeout: float = 30.0
    attempts: int = 5
    backoff: float = 0.5
    backoff_limit: float = 30.0
    throttled: float = 60.0
    breaker: int = 10
    breaker_wait: float = 5.0
    breaker_limit: float = 300.0


@dataclass(frozen=True, slots=True)
class CustomerSettings:
    """How customers and addresses are read.

    Attributes:
        overlap: how far each settled look goes back behind the last one; the index lags without a bound, 60 minutes
            are common practice (NOTES 2.3).
        fresh: how far the looks between settled ones go back, where the overlap holds too much to be read each time.
        recheck_share: of the account's calls that re-reading the overlap may take.
        seen: documents remembered of a store, so that the overlap costs no second reading of their contents.
        page: rows of a search, at most 100; `window`: rows after which a window is split, below VTEX's 10,000.
        scroll_size: rows of a scroll page, at most 1,000.
        slice: rows after which a slice of a backfill is split.
        doubt: between two proofs that "nothing changed" is true.
        scan_every: between two scans of all ids; `scan_first`: after the backfill.
        sweep_every, sweep: a longer look back, and how far (NOTES 9.1).
    """

    overlap: float = 1.5 * HOUR
    fresh: float = 120.0
    recheck_share: float = 0.05
    seen: int = 20_000
    page: int = 100
    window: int = 9_000
    scroll_size: int = 1000
    slice: int = 500_000
    doubt: float = 300.0
    scan_every: float = DAY
    scan_first: float = HOUR
    sweep_every: float = DAY
    sweep: float = 26 * HOUR


@dataclass(frozen=True, slots=True)
class OrderSettings:
    """How orders are read.

    Attributes:
        interval: between two looks into an idle feed.
        lot: feed events handled in one transaction.
        watch: between two checks that the feed's configuration still stands.
        visibility: after which an event that was read and not committed comes again.
        retention: how long VTEX keeps events, and a configuration without any; 4 to 14 days (NOTES 4.4).
        since: how far back the first reading goes; VTEX lists two years.
        index_lag: how far lists are behind (NOTES 4.1: 4 minutes, more at peaks).
        refunds_every: between two readings of invoiced orders; `refunds_for`: after the invoice.
        cancelled_for: how old an order may be whose cancellation lists are asked for.
        lists_wide_every: without a feed, between two looks that go back by `lists_wide` and list cancellations.
    """

    interval: float = 2.0
    lot: int = 50
    watch: float = 600.0
    visibility: float = 240.0
    retention: float = 14 * DAY
    since: float = 30 * DAY
    index_lag: float = 1200.0
    refunds_every: float = 6 * HOUR
    refunds_for: float = 30 * DAY
    cancelled_for: float = 30 * DAY
    lists_wide_every: float = 900.0
    lists_wide: float = 6 * HOUR


@dataclass(frozen=True, slots=True)
class PollerSettings:
    """One poller process.

    Attributes:
        interval: between two looks for changed customers.
        group: consumer group in which pollers share the stores.
        instance: a stable name of this process; one that comes back under the same name gets its stores at once.
        session_timeout: after which a silent poller's stores go to the others.
        transaction: longest that a transaction may take; its owner gives up then, and the broker aborts it.
        rest: wait after a failure that only a person can put right; also the limit of waits after other failures.
        save: a cursor that moved without events is written this often.
        drain: how long a stopping poller goes on to end the scrolls that it has open.
        collector_url: where VTEX reaches the collector, for the order hook; None: no hook is set up.
    """

    interval: float = 5.0
    group: str = "pollers"
    instance: str | None = None
    session_timeout: float = 10.0
    transaction: float = 30.0
    rest: float = 60.0
    save: float = 300.0
    drain: float = 5.0
    collector_url: str | None = None
    calls: CallSettings = field(default_factory=CallSettings)
    customers: CustomerSettings = field(default_factory=CustomerSettings)
    orders: OrderSettings = field(default_factory=OrderSettings)
