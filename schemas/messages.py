"""Campaigns and their messages: `campaigns`, `message.requests`, `message.reports`."""

from datetime import date
from typing import Literal

from pydantic import Field

from schemas.model import Currency, Hash, Instant, Micros, Model, Store
from schemas.personal import PersonalMap, PersonalStr
from schemas.stores import Channel

ReportStatus = Literal["accepted", "sent", "delivered", "seen", "clicked", "failed"]


class Campaign(Model):
    """A campaign, and what no report tells of it: Hellotext has no API for campaigns (contracts/hellotext B5)."""

    store: Store
    campaign: str
    name: str
    channel: Channel | None = None
    day: date = Field(description="The day it was sent, in the store's time zone.")
    recipients: int | None = None
    deliveries: int | None = None
    cost_micros: Micros | None = None
    currency: Currency | None = None


class MessageRequest(Model):
    """One message to be sent to one recipient."""

    store: Store
    message: str
    campaign: str | None = None
    channel: Channel
    to: PersonalStr = Field(description="E.164.")
    text: PersonalStr | None = None
    template: str | None = None
    parameters: PersonalMap = Field(default_factory=dict)
    requested_at: Instant


class MessageReport(Model):
    """What a vendor says happened to a message (contracts/infobip 7)."""

    store: Store
    message: str
    campaign: str | None = None
    channel: Channel | None = None
    status: ReportStatus
    at: Instant
    received_at: Instant
    recipient: Hash | None = Field(default=None, description="phone_hash of the recipient.")
    price_micros: Micros | None = Field(default=None, description="Price of one part of the message.")
    currency: Currency | None = None
    parts: int = 1
    error: str | None = None
    vendor: Literal["infobip", "hellotext"] = "infobip"
    vendor_status: str | None = None
