"""How badly this VTEX behaves: settings, gentle by default, each named after what NOTES or a known issue tells."""

import random
from dataclasses import dataclass, field, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Hostility:
    """What goes wrong, and how often. Shares are probabilities between 0 and 1; times are seconds.

    Attributes:
        seed: the same seed and the same requests in the same order give the same faults.
        lag: longest time until search and scroll see a change; each change draws its own (NOTES 2.3).
        lag_least: shortest such time.
        never_indexed: share of new documents that search and scroll never see (NOTES 2.3).
        ghosts: share of documents that the index holds twice, the second under its id in capitals (NOTES 2.3).
        coarse: timestamps are rounded down to so many seconds, so that many are equal.
        whole_milliseconds: the index compares dates without what is below a millisecond, as Elasticsearch stores them.
        open_between: `between` leaves out its bounds (undocumented, NOTES 2.4).
        restless_ties: documents with equal sort keys come in another order on every request (NOTES 2.1).
        sort_ignored: share of searches answered in no order (NOTES 2.1, cluster incidents).
        false_empties: share of searches answered `[]` with 200 (NOTES 2.1).
        false_ends: share of scroll pages answered `[]` early, with the token still alive.
        wrong_totals: share of answers whose total is too small (NOTES 2.1).
        page_shifts: share of pages after the first before which an earlier row of the window is touched, so that it
            leaves the window and the following rows move up one place.
        count_limit: an unfiltered search over more documents than this is answered 408 (NOTES 2.1).
        wildcards_allowed: wildcard searches until the account is blocked: 503 on search, 429 on scroll (NOTES 2.1).
        headers_lost: share of answers without `REST-Content-Range`, `REST-Content-Total` or `X-VTEX-MD-TOKEN`.
        tokens_change: share of scroll pages that hand out another token.
        scrolls_lost: share of scroll pages after the first whose token is not known any more (NOTES 2.2).
        scrolls_taken: scrolls that other integrations hold, of the account's ten (NOTES 2.2).
        storms: share of calls that begin a storm of 429 (NOTES 5).
        storm_length: how long a storm lasts.
        retry_after: what a storm's answers say; None leaves the header out.
        timeouts: share of calls answered 408.
        errors: share of calls answered 500, 502, 503 or 504.
        cuts: share of calls whose connection is cut in the middle of the answer.
        truncations: share of calls answered 200 with half a JSON document.
        after_effect: share of failed writes (commits, configurations) that had their effect nevertheless.
        slow: share of calls answered late.
        slow_for: how late, at most.
        feed_duplicates: share of feed events that the queue holds twice (NOTES 4.4).
        feed_disorder: share of feed reads whose events come in another order.
        feed_removed: share of feed reads before which the configuration vanishes (NOTES 4.4).
        hook_losses: share of hook notifications and trigger calls that never leave.
        list_lag: how far behind the list of orders is (NOTES 4.1: about four minutes).
        wipes: share of orders that blank the buyer's name and phone in CL (NOTES 2.5).
        asterisks: share of orders whose profile carries `***` (NOTES 2.5).
        null_status: share of changed orders whose status is null for one read (NOTES 4.2).
        late_reason: how long after a cancellation `cancellationData` arrives (NOTES 4.2).
        double_returns: share of return invoices that the order holds twice (NOTES 4.2).
    """

    seed: int = 0
    lag: float = 0.0
    lag_least: float = 0.0
    never_indexed: float = 0.0
    ghosts: float = 0.0
    coarse: float = 0.0
    whole_milliseconds: bool = False
    open_between: bool = False
    restless_ties: bool = False
    sort_ignored: float = 0.0
    false_empties: float = 0.0
    false_ends: float = 0.0
    wrong_totals: float = 0.0
    page_shifts: float = 0.0
    count_limit: int | None = None
    wildcards_allowed: int = 20
    headers_lost: float = 0.0
    tokens_change: float = 0.0
    scrolls_lost: float = 0.0
    scrolls_taken: int = 0
    storms: float = 0.0
    storm_length: float = 1.0
    retry_after: int | None = 1
    timeouts: float = 0.0
    errors: float = 0.0
    cuts: float = 0.0
    truncations: float = 0.0
    after_effect: float = 0.5
    slow: float = 0.0
    slow_for: float = 0.05
    feed_duplicates: float = 0.0
    feed_disorder: float = 0.0
    feed_removed: float = 0.0
    hook_losses: float = 0.0
    list_lag: float = 0.0
    wipes: float = 0.0
    asterisks: float = 0.0
    null_status: float = 0.0
    late_reason: float = 0.0
    double_returns: float = 0.0

    def with_(self, **changes: Any) -> Self:
        """Return these settings with some of them changed."""
        return replace(self, **changes)


GENTLE = Hostility()


def harsh(seed: int = 0, **changes: Any) -> Hostility:
    """Return everything at once, at rates under which a careful connector still gets on."""
    return Hostility(
        seed=seed, lag=20.0, ghosts=0.02, coarse=0.5, whole_milliseconds=True, open_between=True, restless_ties=True,
        sort_ignored=0.02, false_empties=0.02, false_ends=0.01, wrong_totals=0.05, page_shifts=0.1, headers_lost=0.03,
        tokens_change=0.3, scrolls_lost=0.01, scrolls_taken=8, storms=0.005, storm_length=0.3, timeouts=0.01,
        errors=0.02, cuts=0.02, truncations=0.02, slow=0.02, feed_duplicates=0.1, feed_disorder=0.3,
        feed_removed=0.005, hook_losses=0.1, wipes=0.02, asterisks=0.02, double_returns=0.1,
    ).with_(**changes)  # fmt: skip


@dataclass(slots=True)
class Dice:
    """Draws from a seed, each kind of fault from its own row of numbers, so that one kind does not move another."""

    seed: int
    _rows: dict[str, random.Random] = field(default_factory=dict)

    def row(self, kind: str) -> random.Random:
        """Return the numbers of one kind of fault."""
        row = self._rows.get(kind)
        if row is None:
            row = self._rows[kind] = random.Random(f"{self.seed}:{kind}")
        return row

    def falls(self, kind: str, share: float) -> bool:
        """Whether a fault of this kind happens now."""
        return share > 0 and self.row(kind).random() < share
