"""What is typed for a store, in one word each: prices, rates, origins. A wrong one ends the command and says how."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from connectors.console.places import read_country, read_currency
from connectors.console.request import read_origin
from hellotext_vtex.foreground import WRONG_USAGE, fail
from schemas.money import to_micros
from schemas.stores import Price, Rate

_ENTITY: Final = re.compile(r"[A-Z][A-Z0-9]{1,9}")
_FIELD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")
_NUMBER: Final = re.compile(r"\+?\d{5,15}")
_SENDER: Final = re.compile(r"[A-Za-z0-9 .&_+-]{1,16}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,4})?")


def read_price(text: str) -> Price:
    """Return the price that `whatsapp:BR=0.21BRL` means."""
    where, _, amount = text.partition("=")
    channel, _, country = where.partition(":")
    try:
        price = _not_negative(to_micros(amount[:-3].strip()))
        return Price.model_validate({
            "channel": channel, "country": read_country(country) if country else None, "price_micros": price,
            "currency": read_currency(amount[-3:]),
        })  # fmt: skip
    except (ValueError, ArithmeticError) as error:
        fail(f"{text!r} is no price{_why(error)}: write CHANNEL[:COUNTRY]=PRICE CURRENCY, as whatsapp:BR=0.21BRL",
             WRONG_USAGE)  # fmt: skip


def read_rate(text: str) -> Rate:
    """Return the rate that `EUR=6.10@2026-11-01` means."""
    currency, _, rest = text.partition("=")
    number, _, since = rest.partition("@")
    try:
        day = date.fromisoformat(since) if since else date.today()  # noqa: DTZ011  the operator's own day
        rate = Rate(currency=read_currency(currency), rate=number, since=day)
        _positive(rate)
    except ValueError as error:
        fail(f"{text!r} is no rate{_why(error)}: write CURRENCY=RATE@DAY, as EUR=6.10@2026-11-01", WRONG_USAGE)
    return rate


def read_origins(texts: Sequence[str]) -> tuple[str, ...]:
    """Return origins as browsers write them."""
    try:
        return tuple(read_origin(text) for text in texts)
    except ValueError as error:
        fail(f"--origin: {error}", WRONG_USAGE)


def read_fields(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of fields of Master Data."""
    for name in names:
        if not _FIELD.fullmatch(name):
            fail(f"{name!r} is no field of CL: give its name as Master Data has it, such as loyaltyCard", WRONG_USAGE)
    return tuple(dict.fromkeys(names))


def read_entity(name: str) -> str:
    """Return the acronym of a data entity of Master Data."""
    if not _ENTITY.fullmatch(name.strip().upper()):
        fail(f"{name!r} is no data entity: give its acronym, such as NL; CL is the customers' own", WRONG_USAGE)
    return name.strip().upper()


def read_vendor(name: str) -> str | None:
    """Return who sends a store's messages; None: whoever can."""
    if name not in {"hellotext", "infobip", "auto"}:
        fail(f"--messages-by {name!r}: hellotext, infobip or auto", WRONG_USAGE)
    return None if name == "auto" else name


def read_whatsapp_sender(text: str) -> str | None:
    """Return a registered WhatsApp number; None for an empty text: no WhatsApp."""
    number = re.sub(r"[ ().-]", "", text)
    if number and not _NUMBER.fullmatch(number):
        fail(
            f"--whatsapp-sender {text!r}: give the number as it is registered at Infobip, as +5511987654321",
            WRONG_USAGE,
        )
    return number or None


def read_sms_sender(text: str) -> str | None:
    """Return who an SMS is from; None for an empty text: the account's own default."""
    if text and not _SENDER.fullmatch(text):
        fail(f"--sms-sender {text!r}: give a name or number of at most 16 letters, as it is registered", WRONG_USAGE)
    return text or None


def read_language(text: str) -> str:
    """Return the language of WhatsApp templates."""
    if not _LANGUAGE.fullmatch(text):
        fail(f"--language {text!r}: give it as the templates have it, as pt_BR", WRONG_USAGE)
    return text


def read_mapping(texts: Sequence[str], option: str) -> dict[str, str]:
    """Return what `FIELD=NAME` means: a field of the customer, and where it is held; of an empty text nothing."""
    found = {}
    for text in filter(None, texts):
        field, name = (part.strip() for part in text.partition("=")[::2])
        if not (_FIELD.fullmatch(field) and name):
            fail(f"{option} {text!r}: write FIELD=NAME, as custom.loyaltyCard=loyalty", WRONG_USAGE)
        found[field] = name
    return found


def _not_negative(price: int) -> int:
    if price < 0:
        raise ValueError("it is below 0")
    return price


def _positive(rate: Rate) -> None:
    if not Decimal(rate.rate):
        raise ValueError("it is 0")


def _why(error: Exception) -> str:
    """Return what our own rules say; a library's words would be about its insides."""
    return f" ({error})" if type(error) is ValueError and "isoformat" not in str(error) else ""
