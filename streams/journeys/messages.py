"""What is known of a message: what its reports and its request tell, joined. Pure.

A row: `c` campaign, `r` recipient, `h` channel, `s` statuses seen, `d` earliest delivered, `f` earliest report,
`k` click times, `n` digests of the click reports, `i` digests of the others, `p` [at, event id, micros, currency].
Times are Unix milliseconds.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from schemas.clock import DAY_MS, local_day, to_ms
from schemas.money import is_currency
from streams.journeys.limits import CLICK_REPORTS, OTHER_REPORTS, digest, recent_times

Row = dict[str, Any]
STATUSES: Final = {"accepted": 1, "sent": 2, "delivered": 4, "seen": 8, "clicked": 16, "failed": 32}
REACHED: Final = STATUSES["delivered"] | STATUSES["seen"] | STATUSES["clicked"]
_JOINED: Final = (("c", "campaign"), ("r", "recipient"), ("h", "channel"))


class Report(NamedTuple):
    """A report as it is joined."""

    id: str
    status: str
    at: int
    facts: Mapping[str, Any]


def read_report(id: str, data: Mapping[str, Any]) -> Report:  # noqa: A002  CloudEvents' own word
    """Return a report.

    Raises:
        KeyError, ValueError: a field that every report has is missing or unreadable.
    """
    status = data["status"]
    if status not in STATUSES:
        raise ValueError("the report's status is unknown")
    return Report(id, status, to_ms(data["at"]), data)


def without_recipient(report: Report) -> Report:
    """Return a report that does not tell who got the message."""
    return report._replace(facts={name: value for name, value in report.facts.items() if name != "recipient"})


def note(row: Row | None, report: Report) -> Row | None:
    """Return the row with a report among those that it has heard, or None when it has heard it before."""
    name, most = ("n", CLICK_REPORTS) if report.status == "clicked" else ("i", OTHER_REPORTS)
    heard, mark = (row or {}).get(name, []), digest(report.id)
    return None if mark in heard else {**(row or {}), name: sorted([*heard, mark])[:most]}


def join(row: Row | None, report: Report) -> Row:
    """Return the row with a report in it."""
    new: Row = note(row, report) or dict(row or {})
    new["s"] = new.get("s", 0) | STATUSES[report.status]
    _join_texts(new, report.facts)
    new["f"] = min(report.at, new.get("f", report.at))
    if report.status == "clicked":
        new["k"] = recent_times([*new.get("k", ()), report.at])
    elif report.status == "delivered":
        new["d"] = min(report.at, new.get("d", report.at))
    _join_price(new, report)
    return new


def join_request(row: Row | None, campaign: str | None, recipient: str | None, channel: str | None) -> Row:
    """Return the row with a request's facts in it; a request is no report."""
    new: Row = dict(row or {})
    _join_texts(new, {"campaign": campaign, "recipient": recipient, "channel": channel})
    return new


def _join_texts(new: Row, facts: Mapping[str, Any]) -> None:
    for short, name in _JOINED:
        told = facts.get(name)
        if told:
            new[short] = min(told, new.get(short, told))


def _join_price(new: Row, report: Report) -> None:
    price, currency = report.facts.get("price_micros"), report.facts.get("currency")
    if price is None or currency is None or not is_currency(currency):
        return
    told = [report.at, report.id, price * (report.facts.get("parts") or 1), currency]
    new["p"] = max(told, new.get("p", told))


def time(row: Mapping[str, Any]) -> int | None:
    """Return the message's time: its earliest delivered report, while none is known its earliest report."""
    at: int | None = row.get("d", row.get("f"))
    return at


def day(row: Mapping[str, Any], timezone: str) -> str | None:
    """Return the local day on which the message counts, or None when no report is known."""
    at = time(row)
    return None if at is None else local_day(at, timezone).isoformat()


def touch_days(row: Mapping[str, Any] | None) -> set[int]:
    """Return the UTC days (since 1970) on which it touched its recipient."""
    if not row:
        return set()
    days = {at // DAY_MS for at in row.get("k", ())}
    return days | {row["d"] // DAY_MS} if "d" in row else days


def links(row: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Return what of a message others depend on: its campaign, its recipient and its times."""
    return tuple((row or {}).get(name) for name in ("c", "r", "d", "f"))
