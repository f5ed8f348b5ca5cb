"""Pages of order lists: an index that is inconsistent at peaks (contracts/vtex NOTES 4.1) hides no order."""

import httpx
import pytest

from connectors.vtex.budget import Urgency
from connectors.vtex.client import VtexClient
from connectors.vtex.errors import AccountUnknown, Unavailable
from connectors.vtex.gate import Gate
from connectors.vtex.instants import Window
from connectors.vtex.oms import Listed, ListRow, Orders
from connectors.vtex.order_lists import OrderLists
from sandbox.vtex.shop import Shop
from schemas.stores import VtexAccess
from tests.unit.vtex.memory import QUICK, MemoryJournal, source_of

TOTAL = 250


class Lists:
    """Answers pages of 250 orders; some of them short as often as told.

    Args:
        short: rows of a page's first answers, by its number.
    """

    def __init__(self, short):
        self.short = {number: list(rows) for number, rows in short.items()}
        self.asked = []

    async def listed(self, window, page, urgency, **filters):
        """Answer as VTEX's list does."""
        self.asked.append(page)
        count = min(100, TOTAL - 100 * (page - 1))
        if self.short.get(page):
            count = self.short[page].pop(0)
        return Listed([ListRow(f"o{100 * (page - 1) + at}", "") for at in range(count)], 3, TOTAL)


async def _read(lists):
    source = source_of(Shop("acme"), MemoryJournal(), QUICK)
    source.oms = lists
    reader = OrderLists(source, None)
    return [row.id async for rows in reader.rows(Window(0, 1), Urgency.BACKFILL) for row in rows]


@pytest.mark.parametrize("short", [{1: [0]}, {2: [0, 0]}, {2: [40]}, {3: [0]}])
async def test_a_page_shorter_than_the_list_claims_is_asked_for_again(short):
    """Every order once."""
    lists = Lists(short)
    assert await _read(lists) == [f"o{at}" for at in range(TOTAL)]


async def test_a_page_that_stays_empty_hides_none_behind_it():
    """A total may lie, so it is believed at the third time; the pages after it are read all the same."""
    lists = Lists({2: [0] * 3})
    assert await _read(lists) == [f"o{at}" for at in range(TOTAL) if at // 100 != 1]
    assert lists.asked == [1, 2, 2, 2, 3]


@pytest.mark.parametrize(("page", "kind"), [(1, AccountUnknown), (2, Unavailable)])
async def test_a_later_page_that_is_not_there_is_no_wrong_address(page, kind):
    """Where the first page was answered there are lists: it is asked for again soon, and nobody has to act."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(404)))
    access = VtexAccess(account="acme", url="http://vtex.example", app_key="key", app_token="sealed")
    client = VtexClient(access, "token", Gate("acme", QUICK.calls, 6_000_000), QUICK.calls, http)
    with pytest.raises(kind):
        await Orders(client).listed(Window(0, 1), page, Urgency.BACKFILL)
