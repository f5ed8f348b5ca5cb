"""What an event is worth: major units of pages and back ends, minor units of VTEX's checkout helper. Pure."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from schemas.money import LARGEST, from_hundredths, from_major

_DIGITS: Final = 18


def value_event(data: dict[str, Any], default: str) -> None:
    """Add the amount in minor units, where one is told and its currency is known.

    Args:
        data: of the event.
        default: the store's currency, for an amount without one.
    """
    amount = data.get("amount")
    if amount is not None:
        _add(data, amount, data.get("currency"), default)
        return
    parameters: dict[str, Any] = data.get("parameters", {})
    about = parameters.get("object_parameters")
    if isinstance(about, dict) and "amount" in about:
        _add_from_object(data, about, default)


def _add_from_object(data: dict[str, Any], about: dict[str, Any], default: str) -> None:
    """`@hellotext/vtex-checkout` copies the orderForm's integers: minor units (A6.5, NOTES 2.4)."""
    told = about["amount"]
    amount = told.get("amount") if isinstance(told, dict) else told
    currency = (told.get("currency") if isinstance(told, dict) else None) or about.get("currency")
    items = about.get("items")
    lines = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    _add(data, amount, currency or _currency_of(lines), default, hundredths=_from_helper(lines))


def _from_helper(lines: list[dict[str, Any]]) -> bool:
    products = (line.get("product") for line in lines)
    return any(isinstance(product, dict) and product.get("source") == "vtex" for product in products)


def _currency_of(lines: list[dict[str, Any]]) -> Any:
    prices = (line.get("price") for line in lines)
    return next((price["currency"] for price in prices if isinstance(price, dict) and "currency" in price), None)


def _add(data: dict[str, Any], amount: Any, currency: Any, default: str, *, hundredths: bool = False) -> None:
    code = currency.strip().upper() if isinstance(currency, str) and currency.strip() else default
    if isinstance(amount, bool) or not isinstance(amount, (int, float, str)):
        return
    try:
        value = Decimal(str(amount).strip())
        if value.is_finite() and value.adjusted() > _DIGITS:
            return
        # An orderForm holds integers: a fraction was written by somebody who counts in major units.
        whole = hundredths and value == value.to_integral_value()
        minor = from_hundredths(int(value), code) if whole else from_major(value, code)
    except (ValueError, InvalidOperation, OverflowError):
        return  # no number, or no currency: the amount stays as it was told, and counts for nothing
    if abs(minor) <= LARGEST:
        data["amount_minor"], data["amount_currency"] = minor, code
