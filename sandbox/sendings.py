"""Campaigns sent through Infobip, and the webhooks that tell what became of each message (contracts/infobip 7)."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from sandbox.facts import Message, Price, Report
from sandbox.steps import Webhook

Outcome = Literal["pending", "delivered", "failed", "late"]
PENDING: Final = {"groupId": 1, "groupName": "PENDING", "id": 7, "name": "PENDING_ENROUTE", "description": "Enroute"}
DELIVERED: Final = {
    "groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET", "description": "Delivered",
}  # fmt: skip
UNDELIVERABLE: Final = {
    "groupId": 2, "groupName": "UNDELIVERABLE", "id": 9, "name": "UNDELIVERABLE_NOT_DELIVERED",
    "description": "Not delivered",
}  # fmt: skip
EXPIRED: Final = {"groupId": 4, "groupName": "EXPIRED", "id": 15, "name": "EXPIRED_EXPIRED", "description": "Expired"}
NO_ERROR: Final = {"groupId": 0, "groupName": "OK", "id": 0, "name": "NO_ERROR", "permanent": False}
ABSENT: Final = {
    "groupId": 1,
    "groupName": "HANDSET_ERRORS",
    "id": 27,
    "name": "EC_ABSENT_SUBSCRIBER",
    "permanent": False,
}
_AT_ONCE: Final = 100
"""Results in one call: what Infobip does by default (contract 7)."""
_BRUSSELS_WINTER: Final = timedelta(hours=1)
"""Infobip writes `+0100`, whatever the store's zone (contract: an offset without a colon)."""


@dataclass(slots=True)
class Sending:
    """One campaign, or one kind of messages without a campaign.

    Attributes:
        campaign: its id; for WhatsApp it is the head of each message id, the only place where a report shows it.
        at: when the first message leaves.
        price: of one part, as the reports tell it.
        entries: reports to be handed over, in the order in which they came about.
        clicks: click notifications, each a webhook of its own.
    """

    campaign: str | None
    name: str
    channel: Literal["whatsapp", "sms"]
    at: datetime
    price: Price
    chance: random.Random
    entries: list[dict[str, Any]] = field(default_factory=list)
    clicks: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0

    def send(self, phone: str, outcome: Outcome, *, at: datetime | None = None, seen: bool = False) -> Message:
        """Send one message and note what is reported of it.

        Args:
            phone: E.164.
            outcome: `late` is an expiry that is overtaken by a delivery.
            at: when it leaves; a few seconds after the one before by default.
            seen: whether the shopper opened it (WhatsApp tells).
        """
        left = at or self.at + timedelta(seconds=self.sent)
        self.sent += 1
        message = Message(self._id(), self.campaign, phone)
        parts = 1 if self.channel == "whatsapp" else self.chance.choice((1, 1, 1, 2))
        done = left + timedelta(seconds=self.chance.randrange(3, 240))
        # An estimate in the first report, now and then: the last report that carries a price is what is paid.
        estimate = Price(self.price.amount * 2, self.price.currency) if self.chance.random() < 0.2 else None  # noqa: PLR2004  a share
        self._report(message, "sent", PENDING, left, left, parts=parts, price=estimate)
        if outcome in {"failed", "late"}:
            # Without a price: whether a day of free failures costs 0 or nothing known would be anybody's guess.
            refused = UNDELIVERABLE if outcome == "failed" else EXPIRED
            self._report(message, "failed", refused, left, done, parts=parts, price=None)
        if outcome in {"delivered", "late"}:
            arrived = done if outcome == "delivered" else done + timedelta(minutes=2)
            self._report(message, "delivered", DELIVERED, left, arrived, parts=parts, price=self.price)
            if seen and self.channel == "whatsapp":
                self._seen(message, left, arrived + timedelta(seconds=self.chance.randrange(5, 600)))
        return message

    def click(self, message: Message, link: str, told: datetime) -> None:
        """Note a click on a link of a message; the notification tells when it was sent, not when it was clicked."""
        sent = int(message.times("sent")[0].timestamp() * 1000)
        notification: dict[str, Any] = {
            "notificationType": "CLICKED", "recipient": message.phone.lstrip("+"), "url": link,
            "sendDateTime": sent, "messageId": message.id, "bulkId": f"bulk-{self.campaign}",
        }  # fmt: skip
        if self.campaign is not None and self.channel == "sms":
            notification["callbackData"] = self.campaign
        self.clicks.append(notification)
        message.reports.append(Report("clicked", told, link=link))

    def webhooks(self) -> list[Webhook]:
        """Return the calls that hand the reports over: some twice, some before what they follow from."""
        batches = [self.entries[n : n + _AT_ONCE] for n in range(0, len(self.entries), _AT_ONCE)]
        again = [entry for entry in self.entries if self.chance.random() < 0.06]  # noqa: PLR2004  a share
        calls = [Webhook({"results": batch}, ("reports",) * len(batch)) for batch in batches]
        calls += [Webhook({"results": again}, ("redelivered",) * len(again))] if again else []
        calls += [Webhook(click, ("reports",)) for click in self.clicks]
        calls += [Webhook(click, ("redelivered",)) for click in self.clicks if self.chance.random() < 0.2]  # noqa: PLR2004  a share
        self.chance.shuffle(calls)
        return calls

    def _id(self) -> str:
        if self.channel == "whatsapp" and self.campaign is not None:
            return f"{self.campaign}.{self.sent:05}"
        return str(self.chance.randrange(10**19, 10**20))

    def _report(
        self,
        message: Message,
        status: Literal["sent", "delivered", "failed"],
        vendor: dict[str, Any],
        left: datetime,
        done: datetime,
        *,
        parts: int,
        price: Price | None,
    ) -> None:
        entry: dict[str, Any] = {
            "bulkId": f"bulk-{self.campaign}", "messageId": message.id, "to": message.phone.lstrip("+"),
            "sentAt": _text(left), "doneAt": _text(done), "messageCount": parts, "status": vendor,
            "error": ABSENT if status == "failed" else NO_ERROR,
        }  # fmt: skip
        if self.channel == "sms":
            entry["sender"] = "LOJA"
            if self.campaign is not None:
                entry["campaignReferenceId"] = self.campaign
        if price is not None:
            entry["price"] = {"pricePerMessage": float(price.amount), "currency": price.currency}
        self.entries.append(entry)
        message.reports.append(Report(status, left if status == "sent" else done, price, parts))

    def _seen(self, message: Message, left: datetime, at: datetime) -> None:
        self.entries.append(
            {"messageId": message.id, "from": "551150000000", "to": message.phone.lstrip("+"),
             "sentAt": _text(left), "seenAt": _text(at)}
        )  # fmt: skip
        message.reports.append(Report("seen", at))


def _text(at: datetime) -> str:
    local = (at.astimezone(UTC) + _BRUSSELS_WINTER).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{local}.{at.microsecond // 1000:03}+0100"
