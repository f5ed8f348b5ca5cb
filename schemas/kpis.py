"""`attributions` and `kpi.campaigns`: which touch won an order, and what a campaign brought (DESIGN section 10)."""

from typing import Literal

from pydantic import Field

from schemas.model import Currency, Instant, Micros, Minor, Model, Store

Basis = Literal["delivery", "purchase", "total"]
Explanation = Literal["campaign", "external", "none"]
TouchKind = Literal["click", "delivery"]
TimeToConversion = Literal["same_day", "d1_3", "d4_7", "d8_30", "d30_plus"]


class Touch(Model):
    """A delivery or a click that may explain an order."""

    kind: TouchKind
    campaign: str
    at: Instant
    message: str | None = None
    session: str | None = None
    evidence: Literal["report", "landing", "marketing_data"]
    day: str = Field(description="Local day on which the touch's message counts (basis delivery).")


class Attribution(Model):
    """The one explanation of an order."""

    store: Store
    order: str
    explanation: Explanation
    rule: str = Field(
        description="Why: `external:google`, `click`, `delivery`, `no touch in window`, `replacement:click` ..."
    )
    campaign: str | None = None
    winner: Touch | None = None
    losers: tuple[Touch, ...] = ()
    ordered_at: Instant
    order_day: str
    currency: Currency
    amount: Minor = Field(description="Counted revenue: 0 when cancelled, min(previous, new) for a replacement.")
    refunded: Minor = 0
    net: Minor = 0
    conversions: Literal[0, 1]
    time_to_conversion: TimeToConversion | None = None


class CampaignKpis(Model):
    """One cell: a campaign's figures of one basis, day and currency. Unknown is null, never 0."""

    store: Store
    campaign: str
    basis: Basis
    date: str = Field(description="Local day, or `all` for the total.")
    currency: Currency
    sent: int | None = None
    delivered: int | None = None
    failed: int | None = None
    seen: int | None = None
    clicks: int | None = None
    engaged: int | None = None
    visitors: int | None = None
    conversions: int = 0
    revenue: Minor = 0
    refunded: Minor = 0
    net: Minor = 0
    cost_micros: Micros | None = None
    ctr: float | None = Field(default=None, description="engaged / delivered")
    conversion_rate: float | None = Field(default=None, description="conversions / delivered")
    revenue_per_message: float | None = Field(default=None, description="net / delivered, minor units")
    average_order_value: float | None = Field(default=None, description="net / conversions, minor units")
    roas: float | None = Field(default=None, description="net / cost: what Hellotext calls average ROI")
    roi: float | None = Field(default=None, description="(net - cost) / cost")
    time_to_conversion: dict[TimeToConversion, int] = Field(default_factory=dict)
    updated_at: Instant
