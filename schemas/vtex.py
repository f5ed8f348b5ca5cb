"""What is read from VTEX (`vtex.changes`, `.hints`, `.cursors`) and what it means (`vtex.customers`, `vtex.orders`)."""

import re
from typing import Any, Final, Literal

from pydantic import Field

from schemas.model import Currency, Hash, Instant, Minor, Model, Store
from schemas.personal import PersonalMap, PersonalStr

CUSTOMER_CHANGED: Final = "vtex.customer.changed"
CUSTOMER_DELETED: Final = "vtex.customer.deleted"
ORDER_CHANGED: Final = "vtex.order.changed"
"""The types of events in `vtex.changes`: their data is CustomerRead, CustomerDeleted, OrderRead."""
_PART: Final = re.compile(r"-\d{2}$")
"""A seller's part of an order, behind the orderGroup (contracts/vtex NOTES 4.2)."""
ReadBy = Literal["scroll", "search", "order", "hint", "address", "scan", "feed", "list"]


class CustomerRead(Model):
    """`vtex.customer.changed`: the mapped fields of a customer document, as VTEX has them now."""

    customer_id: str = Field(description="CL document id, lower case (NOTES 2.3: storage ignores case).")
    user_id: str | None = Field(default=None, description="CL.userId = order clientProfileData.userProfileId.")
    source_version: str = Field(description="coalesce(updatedIn, createdIn), as VTEX writes it (NOTES 2.4).")
    read_by: ReadBy
    email: PersonalStr | None = None
    first_name: PersonalStr | None = None
    last_name: PersonalStr | None = None
    home_phone: PersonalStr | None = None
    phone: PersonalStr | None = None
    cell_phone: PersonalStr | None = None
    business_phone: PersonalStr | None = None
    document: PersonalStr | None = None
    birth_date: PersonalStr | None = None
    gender: PersonalStr | None = None
    locale: str | None = None
    newsletter_opt_in: bool | None = Field(default=None, description="None: never asked (NOTES 2.5).")
    address: PersonalMap | None = Field(default=None, description="Last changed AD document; None: not read this time.")
    custom: PersonalMap = Field(default_factory=dict, description="Fields that the store chose to map.")


class CustomerDeleted(Model):
    """`vtex.customer.deleted`: `/documents/{id}` answered 404 (NOTES 2.7)."""

    customer_id: str
    read_by: ReadBy


class Buyer(Model):
    """Who bought, as the order tells it; masked values identify nobody (NOTES 4.3)."""

    user_profile_id: str | None = None
    email: PersonalStr | None = None
    phone: PersonalStr | None = None
    first_name: PersonalStr | None = None
    last_name: PersonalStr | None = None
    document: PersonalStr | None = None


class Marketing(Model):
    """VTEX `marketingData`: what the checkout knew of the visit's source."""

    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    coupon: str | None = None


class ReturnInvoice(Model):
    """A package of type Input: goods that came back (NOTES 4.2)."""

    invoice_number: str
    value: int = Field(description="VTEX hundredths: restitutions.Refund.value, else invoiceValue.")


class OrderRead(Model):
    """`vtex.order.changed`: one seller's part of an order, reduced to what attribution needs; no card data."""

    order_id: str
    order_group: str
    order_form_id: str | None = None
    sequence: str | None = None
    origin: str | None = None
    seller: str | None = None
    status: str | None
    created_at: Instant
    changed_at: Instant
    value: int = Field(description="VTEX hundredths.")
    currency: Currency
    buyer: Buyer = Buyer()
    marketing: Marketing | None = None
    newsletter_opt_in: bool | None = None
    returns: tuple[ReturnInvoice, ...] = ()
    changes_value: int = Field(default=0, description="Sum of increments minus discounts, VTEX hundredths.")
    replaces: str | None = None
    read_by: ReadBy = "feed"


class Hint(Model):
    """`vtex.hints`: fetch this customer or order now. A hint is never data (issue 6)."""

    store: Store
    resource: Literal["customer", "order"]
    id: str
    deleted: bool = False
    received_at: Instant


class Cursor(Model):
    """`vtex.cursors`: how far a resource of a store has been read; committed with the events it covers."""

    store: Store
    resource: str
    position: dict[str, Any] = Field(description="The poller's own; moved only after the whole window was read.")
    updated_at: Instant


class Customer(Model):
    """`vtex.customers`: the last state of a customer, and what changed in it."""

    store: Store
    customer: str
    version: int = Field(description="1 for the first state, then one more for each change of a mapped field.")
    source_version: str
    user_id: str | None = None
    email: PersonalStr | None = None
    phone: PersonalStr | None = Field(default=None, description="E.164.")
    first_name: PersonalStr | None = None
    last_name: PersonalStr | None = None
    document: PersonalStr | None = None
    birth_date: PersonalStr | None = None
    gender: PersonalStr | None = None
    locale: str | None = None
    newsletter_opt_in: bool | None = None
    address: PersonalMap | None = None
    custom: PersonalMap = Field(default_factory=dict)
    email_hash: Hash | None = None
    phone_hash: Hash | None = None
    changed: tuple[str, ...] = Field(default=(), description="Names of the fields that changed in this version.")
    deleted: bool = Field(
        default=False, description="Gone from VTEX, or replaced. Ids and hashes stay, for joins; other values do not."
    )
    provisional: bool = Field(default=False, description="Known from orders only, until VTEX shows its document.")
    replaced_by: str | None = Field(
        default=None, description="The customer who turned out to be this provisional one; that row may come later."
    )
    updated_at: Instant


OrderState = Literal["placed", "approved", "invoiced", "cancelled", "replaced"]


class Order(Model):
    """`vtex.orders`: one purchase (VTEX orderGroup) with all its sellers' parts. Holds hashes only."""

    store: Store
    order: str = Field(description="orderGroup.")
    order_ids: tuple[str, ...]
    order_form_id: str | None = None
    state: OrderState
    statuses: dict[str, str] = Field(description="VTEX's own status of each part, unknown ones passed on.")
    created_at: Instant
    changed_at: Instant
    currency: Currency
    amount: Minor = Field(description="Value of all parts, cancelled or not, with what was changed later.")
    changes: Minor = Field(default=0, description="How much of it later changes added; amount - changes = as placed.")
    cancelled: Minor = Field(default=0, description="Value of the parts that were cancelled or replaced.")
    refunded: Minor = Field(default=0, description="Distinct return invoices, never above what was not cancelled.")
    marketing: Marketing | None = None
    replaces: str | None = None
    user_profile_id: str | None = None
    email_hash: Hash | None = None
    phone_hash: Hash | None = None
    version: int


def group_of(order: str) -> str:
    """Return the orderGroup of an orderId (`1234567890123-01`, a seller's part); an orderGroup is its own."""
    return _PART.sub("", order.strip())
