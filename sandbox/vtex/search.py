"""`/search` and `/scroll`: eventually consistent reads, with every trap of NOTES 2.1 and 2.2."""

import re
from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from sandbox.vtex import answers
from sandbox.vtex.documents import entity_of, reduced, wanted_fields
from sandbox.vtex.entity import Entity
from sandbox.vtex.index import Hit, Index, Sort
from sandbox.vtex.scrolls import AT_ONCE, Scroll, TooMany
from sandbox.vtex.visit import Visit
from sandbox.vtex.where import BadWhere, Condition, Rounding, parse_where

WITHOUT_RANGE: Final = 15
PAGE: Final = 100
WINDOW: Final = 10_000
SCROLL_PAGE: Final = 1000
_RANGE: Final = re.compile(r"resources=(\d+)-(\d+)")


async def search(visit: Visit) -> Response:
    """Return one page of what fulfils `_where`."""
    entity, hostility, dice = entity_of(visit), visit.shop.hostility, visit.shop.dice
    fields = wanted_fields(visit, entity)
    first, last = _asked_range(visit)
    condition = _condition(visit, entity, blocked=503)
    index = entity.settle(visit.shop.clock())
    if condition is None and hostility.count_limit is not None and len(index) > hostility.count_limit:
        raise answers.Refusal(answers.empty(408))
    if dice.falls("false empty", hostility.false_empties):
        return answers.reply([], headers=_content_range(visit, first, last, 0))
    if first and dice.falls("page shift", hostility.page_shifts):
        _shift(visit, entity, index.find(condition, _sort(visit, entity))[:first])
        entity.settle(visit.shop.clock())
    hits = _ordered(visit, index, condition, _sort(visit, entity))
    page = [reduced(index.document(hit), fields) for hit in hits[first:last]]
    return answers.reply(page, headers=_content_range(visit, first, last, len(hits)))


async def scroll(visit: Visit) -> Response:
    """Open a scroll, or return the next page of one; an empty page is the end and frees its place."""
    shop, entity = visit.shop, entity_of(visit)
    hostility, dice = shop.hostility, shop.dice
    token = visit.query.get("_token")
    current = _begin(visit, entity) if token is None else _next(visit, token)
    page = current.page()
    if page and dice.falls("false end", hostility.false_ends):
        page = []
    if not page:
        shop.scrolls.end(current)
    elif token is not None and dice.falls("token", hostility.tokens_change):
        shop.scrolls.rename(current)
    headers = {"X-VTEX-MD-TOKEN": current.token, "REST-Content-Total": str(_total(visit, len(current.hits)))}
    if dice.falls("headers", hostility.headers_lost):
        headers.pop(dice.row("which header").choice(sorted(headers)))
    document = entity.index.document
    return answers.reply([reduced(document(hit), current.fields) for hit in page], headers=headers)


def _begin(visit: Visit, entity: Entity) -> Scroll:
    shop = visit.shop
    size = _number(visit.query.get("_size"), PAGE)
    if not 1 <= size <= SCROLL_PAGE:
        raise answers.master_data(400, f"Maximum size allowed is {SCROLL_PAGE}")
    fields, condition, now = wanted_fields(visit, entity), _condition(visit, entity, blocked=429), shop.clock()
    hits = _ordered(visit, entity.settle(now), condition, _sort(visit, entity))
    try:
        return shop.scrolls.begin(entity.acronym, hits, fields, size=size, now=now, taken=shop.hostility.scrolls_taken)
    except TooMany as error:
        raise answers.master_data(400, f"Maximum simultaneous scrolls rate exceeded ({AT_ONCE})") from error


def _next(visit: Visit, token: str) -> Scroll:
    shop = visit.shop
    found = shop.scrolls.find(token, shop.clock())
    if found is not None and shop.dice.falls("scroll lost", shop.hostility.scrolls_lost):
        shop.scrolls.end(found)
        found = None
    if found is None:
        raise answers.master_data(400, f"Operation not found for this token: '{token}'")
    return found


def _condition(visit: Visit, entity: Entity, *, blocked: int) -> Condition | None:
    """Read `_where`; wildcards in volume block the account (NOTES 2.1)."""
    shop, text = visit.shop, visit.query.get("_where", "")
    if "*" in text or "_keyword" in visit.query:
        shop.wildcards += 1
        if shop.wildcards > shop.hostility.wildcards_allowed:
            raise answers.Refusal(answers.empty(blocked))
    if not text.strip():
        return None
    rounding = Rounding(shop.hostility.open_between, shop.hostility.whole_milliseconds)
    filters = {name for name, known in entity.fields.items() if known.filter or known.searchable}
    dates = {name for name in filters if entity.fields[name].is_date}
    try:
        return parse_where(text, filters=filters, dates=dates, rounding=rounding)
    except BadWhere as error:
        raise answers.master_data(400, f"Bad Request: {error}") from error


def _sort(visit: Visit, entity: Entity) -> Sort | None:
    asked = visit.query.get("_sort", "").split()
    if not asked:
        return None
    if len(asked) > 2 or asked[0] not in entity.fields:  # noqa: PLR2004  a field and a direction
        raise answers.master_data(400, "Bad Request: _sort takes one field and a direction")
    return Sort(asked[0], descending=asked[-1].upper() == "DESC")


def _ordered(visit: Visit, index: Index, condition: Condition | None, sort: Sort | None) -> Sequence[Hit]:
    """Return the hits in the order of this very answer."""
    hostility, dice = visit.shop.hostility, visit.shop.dice
    if sort is not None and not dice.falls("sort ignored", hostility.sort_ignored):
        hits = index.find(condition, sort)
        return _ties_moved(hits, index, sort, visit) if hostility.restless_ties else hits
    hits = index.find(condition, None)
    if sort is None and not hostility.restless_ties:
        return hits
    mixed = list(hits)
    dice.row("order").shuffle(mixed)
    return mixed


def _ties_moved(hits: Sequence[Hit], index: Index, sort: Sort, visit: Visit) -> Sequence[Hit]:
    """Turn the order of documents with equal sort keys round, at random."""
    if not visit.shop.dice.falls("ties", 0.5):
        return hits
    moved: list[Hit] = []
    run: list[Hit] = []
    before = None
    for hit in hits:
        value = index.row(hit).document.get(sort.field)
        if run and value != before:
            moved.extend(reversed(run))
            run = []
        run.append(hit)
        before = value
    moved.extend(reversed(run))
    return moved


def _shift(visit: Visit, entity: Entity, earlier: Sequence[Hit]) -> None:
    """Touch a document of the pages already read: it leaves the window, and the rest moves up (NOTES 2.1)."""
    if earlier:
        row = entity.index.row(visit.shop.dice.row("shifted").choice(earlier))
        visit.shop.touch(entity.acronym, str(row.document["id"]))


def _asked_range(visit: Visit) -> tuple[int, int]:
    """Read `REST-Range: resources=x-y`, where y is the last index plus one; 15 rows without it."""
    header = visit.request.headers.get("rest-range")
    if header is None:
        return 0, WITHOUT_RANGE
    found = _RANGE.fullmatch(header.strip())
    if found is None or int(found[2]) < int(found[1]):
        raise answers.master_data(400, "Bad Request: invalid REST-Range")
    first, last = int(found[1]), int(found[2])
    if last - first > PAGE or last > WINDOW:
        raise answers.master_data(400, f"Bad Request: at most {PAGE} documents a page and {WINDOW} in all")
    return first, last


def _content_range(visit: Visit, first: int, last: int, total: int) -> dict[str, str]:
    if visit.shop.dice.falls("headers", visit.shop.hostility.headers_lost):
        return {}
    return {"REST-Content-Range": f"resources {first}-{last}/{_total(visit, total)}"}


def _total(visit: Visit, total: int) -> int:
    dice = visit.shop.dice
    if total and dice.falls("total", visit.shop.hostility.wrong_totals):
        return dice.row("wrong total").randrange(total)
    return total


def _number(text: str | None, default: int) -> int:
    try:
        return default if text is None else int(text)
    except ValueError as error:
        raise answers.master_data(400, "Bad Request: a number was expected") from error
