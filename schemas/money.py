"""Amounts: integers in minor units; prices and costs: integers in micro-units; never floats.

The exponent of a currency is ISO 4217's, from CLDR through babel. VTEX writes hundredths whatever the currency
(contracts/vtex NOTES 4.2), so a Chilean peso, which has no cents, is divided by 100.
"""

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import cache
from typing import Final

from babel.numbers import get_currency_precision, list_currencies

MICROS: Final = 1_000_000
LARGEST: Final = 2**53
"""Beyond it a reader of JSON loses units, and sums leave 64 bits; no shop sells for so much."""


class UnknownCurrencyError(ValueError):
    """The code is not an ISO 4217 currency."""


@cache
def exponent(currency: str) -> int:
    """Return how many decimal digits the currency has (BRL 2, CLP 0, KWD 3).

    Raises:
        UnknownCurrencyError: when the code names no currency.
    """
    if currency not in list_currencies():
        raise UnknownCurrencyError(f"{currency!r} is not an ISO 4217 currency code")
    return get_currency_precision(currency)


def is_currency(code: str) -> bool:
    """Say whether a code names a currency; a vendor may write anything of three letters."""
    try:
        exponent(code)
    except UnknownCurrencyError:
        return False
    return True


def from_major(amount: float | str | Decimal, currency: str) -> int:
    """Return minor units of an amount in major units (`89.90` BRL is 8990).

    Raises:
        ValueError: when the amount is no finite number or the currency is unknown.
    """
    try:
        value = Decimal(str(amount))
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is not an amount") from error
    if not value.is_finite():
        raise ValueError(f"{amount!r} is not a finite amount")
    return _round(value.scaleb(exponent(currency)))


def from_hundredths(amount: int, currency: str) -> int:
    """Return minor units of VTEX's hundredths (`12990` is 12990 BRL cents and 130 CLP)."""
    return _round(Decimal(amount).scaleb(exponent(currency) - 2))


def to_micros(price: float | str | Decimal) -> int:
    """Return micro-units of a price in major units (`0.21` is 210,000)."""
    return _round(Decimal(str(price)) * MICROS)


def micros_to_minor(micros: int, currency: str) -> Decimal:
    """Return a cost in micro-units as an exact number of minor units, for ratios with amounts."""
    return (Decimal(micros) / MICROS).scaleb(exponent(currency))


def format_amount(minor: int, currency: str) -> str:
    """Return a plain decimal for people (`8990` BRL is `89.90`)."""
    return str(Decimal(minor).scaleb(-exponent(currency)))


def _round(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
