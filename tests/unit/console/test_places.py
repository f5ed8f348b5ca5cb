"""Countries, time zones and currencies: those that are, and what somebody most likely meant."""

import pytest

from connectors.console.choices import countries, currencies, zones
from connectors.console.places import country_codes, read_country, read_currency, read_zone
from connectors.console.request import country_defaults


@pytest.mark.parametrize(
    ("typed", "code"), [("br", "BR"), (" CL ", "CL"), ("GB", "GB"), ("AQ", "AQ"), ("HM", "HM"), ("BV", "BV")]
)
def test_a_country_of_iso_3166_is_one(typed, code):
    """In small letters too."""
    assert read_country(typed) == code


@pytest.mark.parametrize("typed", ["XX", "ZZ", "EU", "UN", "XK", "AC", "001", "B", "BRA", ""])
def test_what_is_no_country_is_refused(typed):
    """Regions, reserved and made-up codes."""
    with pytest.raises(ValueError, match=r"no country of ISO 3166-1: give its two letters, such as BR or CL"):
        read_country(typed)


@pytest.mark.parametrize(("typed", "code"), [("Brasil", "BR"), ("brazil", "BR"), ("España", "ES"), ("uk", "GB")])
def test_a_country_s_name_tells_its_code(typed, code):
    """In English, Portuguese and Spanish."""
    with pytest.raises(ValueError, match=f"give {code}$"):
        read_country(typed)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("America/Sao Paulo", "America/Sao_Paulo"), ("america/santiago", "America/Santiago"), ("Nowhere/Nix", "its IANA"),
     ("localtime", "its IANA"), ("Factory", "its IANA"), ("posix/UTC", "its IANA")],
)  # fmt: skip
def test_a_time_zone_that_is_none_tells_the_nearest(typed, meant):
    """By a slip of the hand, or how one is written."""
    with pytest.raises(ValueError, match=f"no time zone: give {meant}"):
        read_zone(typed)


@pytest.mark.parametrize("typed", ["BRZ", "XTS", "XAU", "VEF", "DEM", "R$", ""])
def test_what_is_no_money_of_today_is_refused(typed):
    """Test codes and money of the past."""
    with pytest.raises(ValueError, match="no currency of ISO 4217"):
        read_currency(typed)


def test_the_wizard_offers_what_is_taken():
    """Every choice, and every country's defaults."""
    for country in countries("en"):
        assert read_country(country.code) == country.code
        assert read_zone(country.timezone) == country.timezone
        assert read_currency(country.currency) == country.currency
    assert {read_currency(code) for code in currencies()} == set(currencies())
    assert all(read_zone(name) == name for name in zones())
    assert len(country_codes()) >= 249
    assert country_defaults("XX") == (None, None)
