"""Pages of order lists: an index that is inconsistent at peaks (contracts/vtex NOTES 4.1) hides no order."""

import pytest

from connectors.vtex.budget import Urgency
from connectors.vtex.instants import Window
from connectors.vtex.oms import Listed, ListRow
from connectors.vtex.order_lists import OrderLists
from sandbox.vtex.shop import Shop
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
