"""What a person gives to connect a store; read from the wizard's form and from the CLI's flags alike."""

import re
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from babel.core import get_global
from babel.numbers import get_territory_currencies
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)  # fmt: skip

from connectors.console.places import country_codes, read_country, read_currency, read_zone
from schemas.model import Store

HELLOTEXT_URL: Final = "https://api.hellotext.com/v1"
STORE_NAME: Final = "small letters, digits, - and _ only, such as acme"
"""How a store's name is written (schemas.model.Store)."""
_HOSTS: Final = ("vtexcommercestable.com.br", "vtexcommerce.com.br", "vtexcommercebeta.com.br", "myvtex.com")
_ACCOUNT: Final = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")
_KEY: Final = re.compile(r"[!-~]+")
# Where most people of a country with several time zones live; CLDR lists the zones without saying so.
_MAIN_ZONE: Final = {
    "AR": "America/Argentina/Buenos_Aires", "AU": "Australia/Sydney", "BR": "America/Sao_Paulo",
    "CA": "America/Toronto", "CL": "America/Santiago", "EC": "America/Guayaquil", "ES": "Europe/Madrid",
    "MX": "America/Mexico_City", "PT": "Europe/Lisbon", "US": "America/New_York",
}  # fmt: skip


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Optional = BeforeValidator(_blank_is_none)


class ConnectionRequest(BaseModel):
    """A store as its merchant describes it; blanks take the country's and the vendors' defaults.

    Raises:
        pydantic.ValidationError: names each field that is wrong; its inputs are hidden, secrets are `SecretStr`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    store: Annotated[Store | None, Optional] = Field(default=None, description="The account's name by default.")
    vtex_account: str = Field(description="Account name, or any address of the shop that carries it.")
    vtex_url: Annotated[str | None, Optional] = Field(default=None, description="Base URL, for stand-ins and proxies.")
    vtex_app_key: str = Field(min_length=1)
    vtex_app_token: SecretStr = Field(min_length=1)
    hellotext_url: Annotated[str, BeforeValidator(lambda url: url or HELLOTEXT_URL)] = HELLOTEXT_URL
    hellotext_business: str = Field(min_length=1, description="Public: pages carry it.")
    hellotext_token: SecretStr = Field(min_length=1)
    infobip_url: Annotated[str | None, Optional] = None
    infobip_key: Annotated[SecretStr | None, Optional] = None
    country: str = "BR"
    timezone: Annotated[str | None, Optional] = None
    currency: Annotated[str | None, Optional] = None
    origins: tuple[str, ...] = ()
    privacy: Literal["lgpd", "gdpr", "none"] = "none"

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        filled = dict(given)
        account, url = read_account(str(filled.get("vtex_account") or ""))
        filled["vtex_account"] = account
        filled["vtex_url"] = filled.get("vtex_url") or url
        filled["store"] = filled.get("store") or account
        filled["country"] = str(filled.get("country") or "BR").strip()
        zone, currency = country_defaults(filled["country"].upper())
        filled["timezone"] = filled.get("timezone") or zone
        filled["currency"] = filled.get("currency") or currency
        if isinstance(filled.get("origins"), str):
            filled["origins"] = tuple(filled["origins"].replace(",", " ").split())
        return filled

    @field_validator("vtex_account")
    @classmethod
    def _account(cls, account: str) -> str:
        if not _ACCOUNT.match(account):
            raise ValueError("give the account's name, such as acme, or its address, https://acme.myvtex.com")
        return account

    @field_validator("vtex_app_key", "hellotext_business")
    @classmethod
    def _copied(cls, text: str) -> str:
        return _as_copied(text)

    @field_validator("vtex_app_token", "hellotext_token", "infobip_key")
    @classmethod
    def _copied_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        return secret and SecretStr(_as_copied(secret.get_secret_value()))

    @field_validator("vtex_url", "hellotext_url", "infobip_url")
    @classmethod
    def _url(cls, url: str | None) -> str | None:
        return None if url is None else _web_address(url)

    @field_validator("origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(read_origin(origin) for origin in origins)

    @field_validator("country")
    @classmethod
    def _country(cls, code: str) -> str:
        return read_country(code)

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, name: str | None, given: ValidationInfo) -> str | None:
        if name:
            return read_zone(name)
        _missing(given, "it has no usual time zone: give one by its IANA name")
        return None

    @field_validator("currency")
    @classmethod
    def _currency(cls, code: str | None, given: ValidationInfo) -> str | None:
        if code:
            return read_currency(code)
        _missing(given, "it has no usual currency: give one by its ISO 4217 code")
        return None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.infobip_url is None) != (self.infobip_key is None):
            raise ValueError("Infobip needs its base URL and its API key: give both or neither")
        return self


def read_account(text: str) -> tuple[str, str]:
    """Return the account and the base URL that a person means (contracts/vtex NOTES 1).

    `acme`, `acme.myvtex.com`, `https://acme.vtexcommercestable.com.br/admin` all mean the same. An address of
    another domain names no account: it is returned as it is, for the field's own message.
    """
    typed = text.strip().lower()
    try:
        host = urlsplit(typed if "://" in typed else f"https://{typed}").hostname or ""
    except ValueError:
        host = ""
    for suffix in _HOSTS:
        if host.endswith(f".{suffix}"):
            # `workspace--acme.myvtex.com` is a development workspace of acme.
            typed = host.removesuffix(f".{suffix}").split(".")[0].rpartition("--")[2]
    return typed, f"https://{typed}.vtexcommercestable.com.br"


def read_origin(text: str) -> str:
    """Return an origin as browsers write it.

    Raises:
        ValueError: it is none; says what to give.
    """
    origin = _web_address(text)
    if urlsplit(origin).path:
        raise ValueError("an origin is scheme and host only: https://www.shop.example")
    return origin.lower()


def country_defaults(country: str) -> tuple[str | None, str | None]:
    """Return the time zone and the currency that a store in this country most likely has."""
    if country not in country_codes():
        return None, None
    zones = get_global("territory_zones").get(country, [])
    currencies = get_territory_currencies(country)
    return _MAIN_ZONE.get(country) or (zones[0] if zones else None), currencies[0] if currencies else None


def _missing(given: ValidationInfo, message: str) -> None:
    """Have a missing value told, unless the country that it would come from is what is wrong."""
    if "country" in given.data:
        raise ValueError(f"{given.data['country']}: {message}")


def _as_copied(text: str) -> str:
    """Return a key or an id without the blanks around it.

    Raises:
        ValueError: it has a character that no request's head can carry; often one that nobody sees.
    """
    if not _KEY.fullmatch(text.strip()):
        raise ValueError("it has a blank or a character that no key has, perhaps an invisible one: copy it again")
    return text.strip()


def _web_address(url: str) -> str:
    if not _is_web_address(url):
        raise ValueError("give an address that begins with https://, without user name and query")
    return url.rstrip("/")


def _is_web_address(url: str) -> bool:
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:
        return False
    named = parts.scheme in {"http", "https"} and parts.hostname and port != 0
    return (
        bool(named) and url.isprintable() and " " not in url and not (parts.username or parts.query or parts.fragment)
    )
