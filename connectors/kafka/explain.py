"""Where every cent of a cell comes from: the orders behind it, and whether their sums are the cell's.

A cell of `kpi.campaigns` and the rows of `attributions` are written by different turns, so for a moment one may be
ahead of the other; at rest they agree (DESIGN section 3.5).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from connectors.kafka.admin import open_admin, require_topics
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError
from connectors.kafka.reader import read_topic
from schemas.kpis import Attribution, Basis, CampaignKpis
from schemas.partition import shard_of
from schemas.topics import ATTRIBUTIONS, KPI_CAMPAIGNS, Topic

ALL: Final = "all"


class NoSuchCell(KafkaSetupError):  # noqa: N818  as in errors.py
    """There is no such cell, or there are several; says which ones the campaign has."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A cell and the orders behind it, in the order in which they were placed.

    Attributes:
        exact: whether conversions, revenue, refunds, net and times to conversion of the orders are the cell's.
    """

    cell: CampaignKpis
    orders: tuple[Attribution, ...]
    exact: bool


def orders_behind(rows: Iterable[Attribution], cell: CampaignKpis) -> list[Attribution]:
    """Return the orders that a cell counts, cancelled ones too, in the order in which they were placed."""
    return sorted((row for row in rows if _stands_behind(row, cell)), key=lambda row: (row.ordered_at, row.order))


def agrees(cell: CampaignKpis, orders: Iterable[Attribution]) -> bool:
    """Say whether the orders' sums are the cell's."""
    listed, buckets = list(orders), dict[str, int]()
    for row in listed:
        if row.conversions and row.time_to_conversion:
            buckets[row.time_to_conversion] = buckets.get(row.time_to_conversion, 0) + 1
    sums = tuple(sum(getattr(row, name) for row in listed) for name in ("conversions", "amount", "refunded", "net"))
    return sums == (cell.conversions, cell.revenue, cell.refunded, cell.net) and buckets == cell.time_to_conversion


async def explain(  # noqa: PLR0917  a cell has five names, in the order of its key
    connection: KafkaConnection, store: str, campaign: str, basis: Basis, date: str, currency: str | None
) -> Explained:
    """Return a cell with the orders behind it, as they stand now.

    Args:
        connection: to the broker.
        store: its name.
        campaign: its id.
        basis: `delivery`, `purchase` or `total`.
        date: local day, `all` for the total.
        currency: ISO 4217; None where there is only one.

    Raises:
        NoSuchCell: there is no such cell; without a currency, there are cells of several.
        TopicMissing, BrokerUnreachable: see `read_topic`.
    """
    shard = await _shard(connection, store)
    cells = await _rows(connection, KPI_CAMPAIGNS, shard, KPI_CAMPAIGNS.key(store, campaign) + b"/")
    cell = CampaignKpis.model_validate_json(cells[_chosen(cells, store, campaign, f"{basis}/{date}", currency)])
    rows = await _rows(connection, ATTRIBUTIONS, shard, ATTRIBUTIONS.key(store, ""))
    orders = orders_behind((Attribution.model_validate_json(row) for row in rows.values()), cell)
    return Explained(cell, tuple(orders), agrees(cell, orders))


def _stands_behind(row: Attribution, cell: CampaignKpis) -> bool:
    if row.explanation != "campaign" or row.winner is None:
        return False
    if (row.store, row.winner.campaign, row.currency) != (cell.store, cell.campaign, cell.currency):
        return False
    day = {"delivery": row.winner.day, "purchase": row.order_day, "total": ALL}[cell.basis]
    return day == cell.date


async def _shard(connection: KafkaConnection, store: str) -> int:
    name = connection.topic(KPI_CAMPAIGNS.name)
    async with open_admin(connection) as admin:
        shapes = await admin.shapes()
    require_topics(connection, shapes, [name])
    return shard_of(store, shapes[name].partitions)


async def _rows(connection: KafkaConnection, topic: Topic, shard: int, prefix: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    async for batch in read_topic(connection, topic.name, partitions=[shard]):
        for record in batch.records:
            key = record.key or b""
            if not key.startswith(prefix):
                continue
            if record.value is None:
                found.pop(key, None)
            else:
                found[key] = record.value
    return found


def _chosen(cells: Iterable[bytes], store: str, campaign: str, place: str, currency: str | None) -> bytes:
    """Return the key of the cell at a place (basis/date), in the currency or in the only one that there is."""
    found = {key[-3:].decode(): key for key in cells if key[:-4] == KPI_CAMPAIGNS.key(store, campaign, place)}
    if currency is None and len(found) > 1:
        raise NoSuchCell(f"there are cells {campaign}/{place} in {', '.join(sorted(found))}: say which with --currency")
    key = found.get(currency) if currency else next(iter(found.values()), None)
    if key is None:
        raise NoSuchCell(_absent(f"{store}/{campaign}", f"{place}/{currency}" if currency else place, cells))
    return key


def _absent(campaign: str, wanted: str, cells: Iterable[bytes]) -> str:
    known = sorted(key.decode().removeprefix(f"{campaign}/") for key in cells)
    if not known:
        return f"there is no cell {campaign}/{wanted}: no figure of that campaign is known (see `kpis show`)"
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""  # noqa: PLR2004  enough to see the pattern
    return f"there is no cell {campaign}/{wanted}; the campaign has {', '.join(known[:8])}{more}"
