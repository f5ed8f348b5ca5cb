"""Countries, time zones and currencies that a shop can have, and what a person most likely meant by another word."""

from difflib import get_close_matches
from functools import cache
from typing import Final
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from babel.numbers import get_territory_currencies

_SPOKEN: Final = ("en", "pt", "es")
"""Languages in which a country may be named."""
_UNINHABITED: Final = frozenset(("BV", "HM"))
"""Of ISO 3166-1, without a time zone in CLDR."""
_NOWHERE: Final = frozenset(("ZZ",))
_NO_PLACE: Final = frozenset(("Factory", "localtime", "posixrules"))


@cache
def country_codes() -> frozenset[str]:
    """Return the codes of ISO 3166-1 alpha-2."""
    return frozenset(code for code in get_global("territory_zones") if code.isalpha()) - _NOWHERE | _UNINHABITED


@cache
def zone_names() -> frozenset[str]:
    """Return every time zone by its IANA name."""
    return frozenset(
        name for name in available_timezones() if name not in _NO_PLACE and not name.startswith(("posix/", "right/"))
    )


@cache
def currency_codes() -> frozenset[str]:
    """Return the codes of ISO 4217 that are money somewhere today."""
    return frozenset(code for country in country_codes() for code in get_territory_currencies(country))


def read_country(text: str) -> str:
    """Return a country's code.

    Raises:
        ValueError: it is none; says what to give.
    """
    code = text.strip().upper()
    if code not in country_codes():
        meant = _named(text)
        raise ValueError(
            f"{text.strip()!r} is no country of ISO 3166-1: give {meant}" if meant
            else f"{text.strip()!r} is no country of ISO 3166-1: give its two letters, such as BR or CL"
        )  # fmt: skip
    return code


def read_zone(text: str) -> str:
    """Return a time zone's name.

    Raises:
        ValueError: there is no such zone; says what to give.
    """
    name = text.strip()
    if name in zone_names():
        return name
    by_small = {zone.casefold(): zone for zone in zone_names()}
    near = get_close_matches(name.casefold().replace(" ", "_"), by_small, n=1, cutoff=0.8)
    meant = by_small[near[0]] if near else "its IANA name, such as America/Sao_Paulo"
    raise ValueError(f"{name!r} is no time zone: give {meant}")


def read_currency(text: str) -> str:
    """Return a currency's code.

    Raises:
        ValueError: it is no money of today; says what to give.
    """
    code = text.strip().upper()
    if code not in currency_codes():
        raise ValueError(f"{text.strip()!r} is no currency of ISO 4217: give its three letters, such as BRL or CLP")
    return code


def _named(text: str) -> str | None:
    """Return the code of a country that is called so, in English, Portuguese or Spanish."""
    wanted = text.strip().casefold()
    if wanted == "uk":
        return "GB"
    for language in _SPOKEN:
        for code, name in Locale.parse(language).territories.items():
            if name.casefold() == wanted and code in country_codes():
                return str(code)
    return None
