"""`stores`: one VTEX account connected to its destinations."""

from datetime import date
from typing import Literal

from pydantic import Field

from schemas.model import Currency, Instant, Micros, Model, Store

Channel = Literal["whatsapp", "sms"]
Sealed = str
"""A secret sealed with SECRETS_KEY (connectors/kafka/secrets.py); only its holder can open it."""


class VtexAccess(Model):
    """How the poller reaches the shop (contracts/vtex NOTES 1)."""

    account: str
    url: str = Field(description="Base URL, without a trailing slash.")
    app_key: str
    app_token: Sealed
    calls_per_minute: int | None = Field(default=None, description="What the account allows, where it is known.")
    custom_fields: tuple[str, ...] = Field(default=(), description="Further fields of CL to read into `custom`.")
    opt_in_field: str = Field(default="isNewsletterOptIn", description="Field that tells the opt-in.")
    opt_in_entity: str | None = Field(default=None, description="Data entity of that field; None: CL.")
    opt_in_email: str = Field(default="email", description="Field of that entity that holds the customer's e-mail.")
    nulls_erase: tuple[str, ...] = Field(
        default=(),
        description="Fields of a customer (`phone`, `custom.x`) whose null in VTEX means that the value is gone; of "
        "all others it means nothing, since VTEX wipes fields by itself.",
    )


class HellotextAccess(Model):
    """How profiles and events reach Hellotext (contracts/hellotext CONTRACT B)."""

    url: str = Field(description="Base URL of the API, ending in /v1.")
    business_id: str = Field(description="Public: pages carry it.")
    token: Sealed
    key_style: Literal["documented", "flat"] = Field(
        default="documented",
        description="documented: `email[primary]`, `phone[mobile]`; flat: `email`, `phone` as its WooCommerce plugin.",
    )
    properties: dict[str, str] = Field(
        default_factory=dict,
        description="Field of the customer (`document`, `newsletter_opt_in`, `address.city`, `custom.x`) to the id of "
        "the Hellotext property that holds it.",
    )


class InfobipAccess(Model):
    """How persons and messages reach Infobip (contracts/infobip CONTRACT 1)."""

    url: str
    api_key: Sealed
    attributes: dict[str, str] = Field(
        default_factory=dict, description="Field of the customer to the name of the custom attribute that holds it."
    )
    sms_sender: str | None = Field(default=None, description="Who an SMS is from; None: the account's own default.")
    whatsapp_sender: str | None = Field(default=None, description="The registered WhatsApp number; None: no WhatsApp.")
    language: str = Field(default="pt_BR", description="Language of WhatsApp templates.")


class Price(Model):
    """A line of the store's price list, for messages whose report tells no price."""

    channel: Channel
    country: str | None = Field(default=None, description="ISO 3166-1 alpha-2; None for every country.")
    price_micros: Micros
    currency: Currency


class Rate(Model):
    """What a unit of another currency was worth in the store's, from a day on; for costs in another currency."""

    currency: Currency
    rate: str = Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$", description="Store currency for one unit, decimal text.")
    since: date


class Former(Model):
    """A secret that was renewed, and is still taken for a while: whoever uses it has time to change over."""

    secret: Sealed
    until: Instant


class StoreConnection(Model):
    """A connected store: where it is, how to reach it, and what it has chosen. Secrets are sealed."""

    store: Store
    vtex: VtexAccess
    hellotext: HellotextAccess
    infobip: InfobipAccess | None = None
    country: str = Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2, for phones without a prefix.")
    timezone: str = Field(description="IANA name; days of KPIs are days there.")
    currency: Currency
    origins: tuple[str, ...] = Field(default=(), description="Origins whose pages may send events; empty: any.")
    hash_secret: Sealed = Field(description="Keys the hashes of personal values; never rotates.")
    hook_secret: Sealed = Field(description="Authenticates triggers, hooks and webhooks that call the collector.")
    server_token: Sealed = Field(description="Authenticates the shop's own back end at the collector.")
    hook_secret_before: Former | None = None
    server_token_before: Former | None = None
    privacy: Literal["lgpd", "gdpr", "none"] = Field(
        default="none",
        description="gdpr: events only with consent granted; lgpd and none: unless consent was denied.",
    )
    prices: tuple[Price, ...] = ()
    rates: tuple[Rate, ...] = ()
    forward: bool = Field(default=True, description="Pass accepted tracking events on to Hellotext.")
    messages_by: Literal["hellotext", "infobip"] | None = Field(
        default=None, description="Who sends messages; None: Infobip where it is connected and can, else Hellotext."
    )
    erase_deleted: bool = Field(
        default=False, description="Erase at the destinations too, when VTEX has deleted a customer."
    )
    click_window_hours: int = 168
    delivery_window_hours: int = 24
    paused: bool = False
    connected_at: Instant
