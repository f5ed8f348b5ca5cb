"""What the wizard offers to choose from: countries with their usual time zone and currency, zones, currencies."""

from dataclasses import dataclass
from functools import cache

from babel import Locale

from connectors.console.places import country_codes, currency_codes, zone_names
from connectors.console.request import country_defaults


@dataclass(frozen=True, slots=True)
class Country:
    """A country, and what its shops most likely use."""

    code: str
    name: str
    timezone: str
    currency: str


@cache
def countries(locale: str) -> tuple[Country, ...]:
    """Return every country that has a time zone and a currency, by name."""
    names = Locale.parse(locale).territories
    found = []
    for code, name in names.items():
        if code in country_codes():
            zone, currency = country_defaults(code)
            if zone and currency:
                found.append(Country(code, name, zone, currency))
    return tuple(sorted(found, key=lambda country: country.name))


@cache
def zones() -> tuple[str, ...]:
    """Return the time zones that people live in, by IANA name."""
    return tuple(sorted(zone for zone in zone_names() if "/" in zone and not zone.startswith("Etc/")))


@cache
def currencies() -> tuple[str, ...]:
    """Return the codes of money of today."""
    return tuple(sorted(currency_codes()))
