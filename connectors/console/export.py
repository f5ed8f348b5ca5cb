"""A campaign's orders as CSV, row by row: amounts as decimals, the unknown empty, text safe in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from schemas.clock import to_ms, to_text
from schemas.kpis import Attribution, Touch
from schemas.money import format_amount

COLUMNS: Final = (
    "order", "ordered_at", "order_day", "currency", "amount", "refunded", "net", "conversions", "rule",
    "time_to_conversion", "winner_kind", "winner_at", "winner_evidence", "winner_message", "winner_session", "losers",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def orders_csv(rows: Iterable[Attribution]) -> Iterator[str]:
    """Yield CSV lines (RFC 4180), the header first."""
    yield _line(COLUMNS)
    for row in rows:
        yield _line(_fields(row))


def _fields(row: Attribution) -> tuple[str, ...]:
    winner = row.winner
    told = () if winner is None else (winner.kind, _at(winner), winner.evidence, winner.message, winner.session)
    return (
        plain(row.order),
        to_text(to_ms(row.ordered_at.isoformat())),
        row.order_day,
        row.currency,
        *(format_amount(value, row.currency) for value in (row.amount, row.refunded, row.net)),
        str(row.conversions),
        plain(row.rule),
        row.time_to_conversion or "",
        *(plain(text or "") for text in told or [""] * 5),
        plain("; ".join(f"{touch.kind} {touch.campaign} {_at(touch)}" for touch in row.losers)),
    )


def plain(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _at(touch: Touch) -> str:
    return to_text(to_ms(touch.at.isoformat()))


def _line(fields: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(fields)
    return buffer.getvalue()
