"""What really happened in a shop: the facts from which the ledger computes what every figure must be.

They are the truth of whoever plays the day, not what any interface saw of it: whether a browser told who sits before
it, and who bought, is known here, so nothing has to be joined through hashes.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

Status = Literal["sent", "delivered", "seen", "clicked", "failed"]


@dataclass(frozen=True, slots=True)
class Price:
    """What the vendor charges for one part of a message."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that a vendor reported of a message.

    Attributes:
        at: what the report says; for a click, which tells no time of its own, when it was handed over.
        price: where the report carries one.
        parts: how many parts the message had.
        link: of a click: two clicks on one link are one report to the vendor.
    """

    status: Status
    at: datetime
    price: Price | None = None
    parts: int = 1
    link: str | None = None


@dataclass(slots=True)
class Message:
    """One WhatsApp or SMS to one phone; `campaign` is None for a message of no campaign (a one-time code)."""

    id: str
    campaign: str | None
    phone: str
    reports: list[Report] = field(default_factory=list)

    def times(self, *statuses: Status) -> list[datetime]:
        """Return when it was reported so, earliest first."""
        return sorted(report.at for report in self.reports if not statuses or report.status in statuses)


@dataclass(slots=True)
class Visit:
    """A browser at the shop, over all its visits.

    Attributes:
        told: the shopper who told the browser an e-mail, a phone or an id; None while nobody did.
        landings: campaign to the moment its link was followed.
    """

    session: str
    told: str | None = None
    landings: dict[str, datetime] = field(default_factory=dict)


@dataclass(slots=True)
class Part:
    """One seller's part of a purchase, in VTEX hundredths."""

    order_id: str
    hundredths: int
    cancelled: bool = False


@dataclass(slots=True)
class Purchase:
    """A purchase (VTEX orderGroup).

    Attributes:
        at: VTEX's creation date.
        buyer: the shopper whom the order itself names (an e-mail, a phone or a profile id); None when all is masked.
        sessions: browsers that reported the order, or began the checkout that became it.
        source: `utmSource` of VTEX's marketing data; `campaign` its `utmCampaign`.
        returns: number of a return invoice to its value in hundredths.
        replaces: the purchase that this one replaces.
        replaced: whether another one replaces it.
    """

    group: str
    at: datetime
    parts: list[Part]
    buyer: str | None = None
    sessions: tuple[str, ...] = ()
    source: str | None = None
    campaign: str | None = None
    returns: dict[str, int] = field(default_factory=dict)
    replaces: str | None = None
    replaced: bool = False

    @property
    def hundredths(self) -> int:
        """What was ordered, cancelled or not."""
        return sum(part.hundredths for part in self.parts)


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as its list tells it; figures are None where nobody wrote them down."""

    campaign: str
    name: str
    channel: Literal["whatsapp", "sms"]
    day: date
    recipients: int | None = None
    deliveries: int | None = None
    cost: Price | None = None


@dataclass(slots=True)
class Facts:
    """All that happened in one store.

    Attributes:
        phones: shopper to the phone under which messages reach them.
        rates: currency to what one unit is worth in the store's.
        customers: how many customer documents the shop holds.
        deleted: how many it no longer holds.
        guests: shoppers without a document whose orders tell an e-mail or a phone.
        reachable: how many distinct people among its customers can be reached by e-mail or phone.
    """

    store: str
    timezone: str
    currency: str
    phones: dict[str, str] = field(default_factory=dict)
    rates: dict[str, Decimal] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    rows: list[CampaignRow] = field(default_factory=list)
    customers: int = 0
    deleted: int = 0
    guests: set[str] = field(default_factory=set)
    reachable: int = 0
