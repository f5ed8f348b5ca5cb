"""How figures look: money in its currency, days in the store's zone, and the unknown, which is never shown as 0."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_compact_currency, format_currency, format_decimal, format_percent

from schemas.money import exponent, micros_to_minor

DASH: Final = "\N{EM DASH}"
Kind = Literal["count", "money", "percent", "ratio"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as text.

    Attributes:
        known: False where there is nothing to show but a dash.
        title: what a dash, or a figure that is only part of the truth, means.
    """

    text: str
    known: bool = True
    title: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Formats figures for one locale.

    Args:
        locale: a Unicode CLDR name, such as `en` or `pt_BR`.
    """

    locale: str

    def count(self, value: int | None, why: str = "no report tells it") -> Shown:
        """Return a whole number."""
        return _unknown(why) if value is None else Shown(format_decimal(value, locale=self.locale))

    def money(self, minor: float | Decimal | None, currency: str, why: str = "nobody told the cost") -> Shown:
        """Return an amount in minor units."""
        if minor is None:
            return _unknown(why)
        major = Decimal(str(minor)).scaleb(-exponent(currency))
        return Shown(format_currency(major, currency, locale=self.locale))

    def cost(self, micros: int | None, currency: str) -> Shown:
        """Return a cost in micro-units, rounded to the currency's own digits."""
        if micros is None:
            return _unknown("no report carries a price, and no cost was entered for the campaign")
        return self.money(micros_to_minor(micros, currency), currency)

    def percent(self, value: float | None, why: str) -> Shown:
        """Return a share, such as 0.042, as 4.2 %."""
        return _unknown(why) if value is None else Shown(format_percent(value, "#,##0.0%", locale=self.locale))

    def ratio(self, value: float | None, why: str) -> Shown:
        """Return a multiple, such as 3.25, as 3.25x."""
        if value is None:
            return _unknown(why)
        return Shown(format_decimal(value, "#,##0.00", locale=self.locale) + "\N{MULTIPLICATION SIGN}")

    def short_money(self, minor: float, currency: str) -> str:
        """Return an amount for an axis: R$12.5K."""
        major = Decimal(str(minor)).scaleb(-exponent(currency))
        digits = 1 if abs(major) >= 1000 and major % 1000 else 0  # noqa: PLR2004  below, CLDR abbreviates nothing
        return format_compact_currency(major, currency, locale=self.locale, fraction_digits=digits)

    def day(self, day: str | date) -> str:
        """Return a day: 24 Nov 2026."""
        found = date.fromisoformat(day) if isinstance(day, str) else day
        return format_date(found, "d MMM y", locale=self.locale)

    def short_day(self, day: date) -> str:
        """Return a day for an axis: 24 Nov."""
        return format_date(day, "d MMM", locale=self.locale)

    def moment(self, at: datetime | str, timezone: str) -> str:
        """Return an instant in a store's time zone: 24 Nov 2026, 14:05."""
        return format_datetime(_instant(at), "d MMM y, HH:mm", tzinfo=ZoneInfo(timezone), locale=self.locale)

    def clock(self, at: datetime | str, timezone: str) -> str:
        """Return the time of day in a store's time zone: 14:05:09."""
        return format_datetime(_instant(at), "HH:mm:ss", tzinfo=ZoneInfo(timezone), locale=self.locale)

    def span(self, between: timedelta) -> str:
        """Return a length of time in words: 3 hours."""
        return format_timedelta(between, threshold=1.5, locale=self.locale)

    def ago(self, at: datetime, now: datetime | None = None) -> str:
        """Return how long ago something was: 3 minutes ago."""
        return format_timedelta(at - (now or datetime.now(UTC)), add_direction=True, locale=self.locale)


def _unknown(why: str) -> Shown:
    return Shown(DASH, known=False, title=f"Unknown, not zero: {why}")


def _instant(at: datetime | str) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)
