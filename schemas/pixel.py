"""What pages and shop back ends tell: `pixel.events`, `pixel.identities`, `tracking.events`."""

from typing import Any, Final, Literal

from pydantic import Field

from schemas.model import Currency, Hash, Instant, Minor, Model, Store
from schemas.personal import PersonalMap, PersonalStr

HASHES: Final = ("email_hash", "phone_hash", "customer_hash")
"""Fields that tell who somebody is."""
ORDER_PLACED: Final = "order.placed"
ORDER_ACTIONS: Final = frozenset(
    (ORDER_PLACED, "order.confirmed", "order.shipped", "order.delivered", "order.cancelled")
)
"""What happens to an order once, however often it is told: Hellotext, too, stores one event for each (B3)."""
CHECKOUT_STARTED: Final = "checkout.started"


class Page(Model):
    """Where it happened; no personal value in the query."""

    url: str | None = None
    title: str | None = None
    path: str | None = None
    referrer: str | None = None


class Utm(Model):
    """`utm_params` (contracts/hellotext A3.1): the `hello_utm` cookie lives ten years, so this alone is no click."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    term: str | None = None
    content: str | None = None
    observed_at: Instant | None = None


class Device(Model):
    """What sent the event. The address is masked to /24 or /48 before anything is stored."""

    user_agent: str | None = None
    network: str | None = Field(default=None, description="IPv4 /24 or IPv6 /48; never a whole address.")
    kind: Literal["desktop", "mobile", "tablet", "app", "other"] | None = None


class Landing(Model):
    """An arrival from one of our campaigns: the first sight of (session, campaign), or an earlier one than known."""

    campaign: str
    channel: str | None = None
    at: Instant
    observed_at: Instant | None = Field(
        default=None,
        description="The browser's own note of the arrival, which names it: told again with an earlier `at`, it is the "
        "same arrival. None: `at` is merely when the campaign was first seen in the session.",
    )


class TrackingEvent(Model):
    """An event of a session. As received in `pixel.events`; deduplicated and enriched in `tracking.events`.

    Personal values are replaced by their hashes wherever they stood (DESIGN section 11).
    """

    store: Store
    kind: Literal["event", "acknowledgement", "identification"] = "event"
    action: str | None = Field(default=None, description="`product.viewed` ...; None for kinds other than event.")
    given_id: str | None = Field(default=None, description="The sender's own event id, when it gave one.")
    session: str | None = None
    page: Page = Page()
    utm: Utm | None = None
    email_hash: Hash | None = None
    phone_hash: Hash | None = None
    customer_hash: Hash | None = Field(default=None, description="Of the shop's own customer id (`user_id`).")
    identity_source: str | None = None
    amount: str | None = Field(default=None, description="As sent, in major units, as decimal text.")
    currency: str | None = None
    object: str | None = None
    object_type: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict, description="object_parameters, metadata and the rest.")
    order: str | None = Field(default=None, description="The order reference (orderGroup or order id), when told.")
    order_form: str | None = None
    tracked_at: Instant | None = None
    sent_by: Literal["page", "server", "app"] = "page"
    consent: Literal["granted", "denied"] | None = None
    device: Device = Device()
    # What the tracking agent adds:
    at: Instant | None = Field(default=None, description="When it happened: tracked_at bounded by receipt.")
    at_received: bool = Field(default=False, description="The time told was impossible: `at` is the receipt's.")
    supplement: bool = Field(
        default=False,
        description="Repeats an order action, and is passed on for the session or person that no earlier one told.",
    )
    amount_minor: Minor | None = None
    amount_currency: Currency | None = None
    landing: Landing | None = None


class Identification(Model):
    """`pixel.identities`: the values that an identify call, or user parameters, told about a session."""

    store: Store
    session: str | None = None
    event_id: str
    customer: PersonalStr | None = Field(default=None, description="`user_id`: may itself be an e-mail.")
    email: PersonalStr | None = None
    phone: PersonalStr | None = None
    name: PersonalStr | None = None
    first_name: PersonalStr | None = None
    last_name: PersonalStr | None = None
    document: PersonalStr | None = None
    other: PersonalMap = Field(default_factory=dict)
    source: str | None = None
    email_hash: Hash | None = None
    phone_hash: Hash | None = None
    customer_hash: Hash | None = None
    received_at: Instant
