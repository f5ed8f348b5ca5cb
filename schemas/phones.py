"""Phones as people and platforms write them, and the one form in which a number is stored, compared and hashed. Pure.

VTEX does not validate phones (contracts/vtex NOTES 2.5): country codes without their `+`, trunk prefixes, two numbers
in one field, and mobile numbers of before their country added or dropped a digit.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber

_RUN: Final = re.compile(r"(\+?)[^\w+]*(\d(?:[\s().\u2010-\u2015-]*\d){6,})")
"""The first number in a text: what stands behind a `/`, a second `+` or a word such as `ramal` is another one's."""
_LONGEST: Final = 200
_TRUNKS: Final = {"MX": re.compile(r"^(?:044|045|01)(?=\d{10}$)")}
"""Dialled before mobile numbers until 2019; the library does not know it any more."""


def normal_phone(value: object, country: str) -> str | None:
    """Return E.164 (`+5511987654321`), or None when it is no number that could reach anybody.

    A number that says its country is taken at its word if its length is possible; one that has to be completed must
    be valid then. Without its area code it is nobody's.

    Args:
        value: what a person or a platform wrote.
        country: ISO 3166-1 alpha-2 of the store, for numbers written without a country prefix.
    """
    found = _RUN.search(value[:_LONGEST]) if isinstance(value, str) and "*" not in value else None
    if found is None:
        return None
    digits = "".join(str(int(each)) for each in found[2] if each.isdecimal())
    for number in _readings(digits, country, whole=bool(found[1])):
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def _readings(digits: str, country: str, *, whole: bool) -> Iterator[PhoneNumber]:
    """Yield what the digits can mean, the likeliest first."""
    if whole:
        yield from _completed(f"+{digits}", country, phonenumbers.is_possible_number)
        return
    trunk = _TRUNKS.get(country)
    texts = (digits if trunk is None else trunk.sub("", digits), f"+{digits}")
    for text in (f"+{digits[2:]}", *texts) if digits.startswith("00") else texts:
        yield from _completed(text, country, phonenumbers.is_valid_number)


def _completed(text: str, country: str, accepts: Callable[[PhoneNumber], bool]) -> Iterator[PhoneNumber]:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return
    number = _renewed(number)
    if accepts(number):
        yield number


def _renewed(number: PhoneNumber) -> PhoneNumber:
    """Return a number as it is dialled today: Mexico has dropped a 1, Brazil has added a 9 to mobile numbers."""
    national = str(number.national_number)
    if phonenumbers.is_valid_number(number):
        return number
    if number.country_code == 52 and len(national) == 11:  # noqa: PLR2004  Mexico, `+52 1 55 1234 5678`
        national = national.removeprefix("1")
    elif number.country_code == 55 and len(national) == 10:  # noqa: PLR2004  Brazil, `+55 11 8765-4321`
        national = f"{national[:2]}9{national[2:]}"
    else:
        return number
    newer = PhoneNumber(country_code=number.country_code, national_number=int(national))
    return newer if phonenumbers.is_valid_number(newer) else number
