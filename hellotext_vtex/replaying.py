"""Are the live figures what today's rules make of what is kept? Compares a replay's cells with the live ones.

A cell can be compared when everything behind it is still there: tracking events are kept for 30 days, so days before
the oldest of them (and the longest window) are left out, and totals of campaigns that have such days.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.provisioning import describe
from connectors.kafka.reader import CommittedReader, latest_by_key
from connectors.kafka.stores import StoreDirectory
from hellotext_vtex.demo import Difference, Key, compare
from schemas.clock import local_day
from schemas.kpis import CampaignKpis
from schemas.partition import shard_of
from schemas.topics import KPI_CAMPAIGNS, PIXEL_EVENTS, PRIVACY_SUPPRESSIONS

Cells = dict[Key, CampaignKpis]
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and what differs.

    Attributes:
        compared: cells that were.
        left_out: cells whose events are not kept any more.
        differences: figure by figure; `ours` is live, `ledger` the replay's.
        forgotten: identifiers on the suppression list: what their people did counts live, and is not replayed.
    """

    compared: int
    left_out: int
    differences: tuple[Difference, ...]
    forgotten: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


async def compare_with(live: KafkaConnection, replay: KafkaConnection) -> Comparison:
    """Compare the cells that stand now.

    Args:
        live: the house's.
        replay: whose `kpi.campaigns` is the replay's.
    """
    ours, theirs = await _cells(live), await _cells(replay)
    since = await _since(live)
    wanted = {key for key in ours.keys() | theirs.keys() if _is_kept(key, since, ours, theirs)}
    told = {key: cell.model_dump(mode="python") for key, cell in theirs.items() if key in wanted}
    found = compare({key: cell for key, cell in ours.items() if key in wanted}, told)
    forgotten = len(await latest_by_key(live, PRIVACY_SUPPRESSIONS.name))
    return Comparison(len(wanted), len(ours.keys() | theirs.keys()) - len(wanted), found.differences, forgotten)


def standing(looks: list[Comparison]) -> Comparison:
    """Return what differed in every one of several looks: a figure that is just being counted is behind on one side."""
    last = looks[-1]
    places = [{(one.cell, one.figure) for one in look.differences} for look in looks]
    always = set.intersection(*places)
    left = tuple(one for one in last.differences if (one.cell, one.figure) in always)
    return Comparison(last.compared, last.left_out, left, last.forgotten)


async def _cells(connection: KafkaConnection) -> Cells:
    found = await latest_by_key(connection, KPI_CAMPAIGNS.name)
    cells = [CampaignKpis.model_validate_json(record.value) for record in found.values()]
    return {(cell.store, cell.campaign, cell.basis, cell.date, cell.currency): cell for cell in cells}


async def _since(live: KafkaConnection) -> dict[str, date]:
    """Return for each store whose events were partly removed the first day that can be compared."""
    oldest, partitions = await _oldest(live)
    found = {}
    async with StoreDirectory(live) as directory:
        for store in directory.all():
            at = oldest.get(shard_of(store.store, partitions))
            if at is not None:
                longest = max(store.click_window_hours, store.delivery_window_hours)
                found[store.store] = local_day(at, store.timezone) + timedelta(days=1, hours=longest)
    return found


async def _oldest(live: KafkaConnection) -> tuple[dict[int, int], int]:
    """Return the time of the oldest event of each shard where retention has removed some, and the number of shards."""
    states = {state.name: state for state in await describe(live)}
    state = states[live.topic(PIXEL_EVENTS.name)]
    oldest = {}
    for partition, (first, end) in enumerate(zip(state.first, state.end, strict=True)):
        if first:
            oldest[partition] = time.time_ns() // 1_000_000 if first >= end else await _first(live, partition)
    return oldest, state.partitions


async def _first(live: KafkaConnection, partition: int) -> int:
    async with CommittedReader(live, [PIXEL_EVENTS.name], partitions=[partition], max_records=1) as reader:
        async for batch in reader.until(await reader.ends()):
            return int(batch.records[0].timestamp)
    return time.time_ns() // 1_000_000


def _is_kept(key: Key, since: Mapping[str, date], *sides: Cells) -> bool:
    store, campaign, _, day, _ = key
    first = since.get(store)
    if first is None:
        return True
    if day != ALL:
        return date.fromisoformat(day) >= first
    days = {other[3] for cells in sides for other in cells if other[:2] == (store, campaign) and other[3] != ALL}
    return all(date.fromisoformat(one) >= first for one in days)


def as_json(found: Comparison) -> dict[str, Any]:
    """Return it for scripts."""
    return {
        "equal": found.equal, "compared": found.compared, "left_out": found.left_out, "forgotten": found.forgotten,
        "differences": [
            {"cell": "/".join(one.cell), "figure": one.figure, "live": one.ours, "replay": one.ledger}
            for one in found.differences
        ],
    }  # fmt: skip
