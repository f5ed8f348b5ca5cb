"""One account at Infobip: its key, its people, its messages."""

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.infobip.answers import ACCEPTED, Document, platform, sms
from sandbox.infobip.people import People
from sandbox.infobip.reporter import PRICES, Reporter

SCOPES: Final = frozenset(("people:read", "people:manage", "message:send"))
_LONGEST_ID: Final = 200
_PART: Final = 160


@dataclass(slots=True)
class Account:
    """What one API key opens.

    Attributes:
        scopes: what the key may do; a call without its scope gets 403.
        reports_url: where reports go that the message itself sends nowhere.
        messages: by id.
        calls: how many calls each route got.
    """

    key: str
    reporter: Reporter
    scopes: frozenset[str] = SCOPES
    people: People = field(default_factory=People)
    reports_url: str | None = None
    prices: dict[str, tuple[float, str]] = field(default_factory=lambda: dict(PRICES))
    messages: dict[str, Document] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def send_sms(self, body: Mapping[str, Any]) -> Document:
        """`POST /sms/3/messages` (CONTRACT 5).

        Raises:
            Refusal: 400, envelope C.
        """
        given = body.get("messages")
        if not isinstance(given, list) or not given:
            raise sms("must not be empty", "messages")
        bulk, taken = str(uuid.uuid4()), list[Document]()
        for number, message in enumerate(given):
            text = (message.get("content") or {}).get("text")
            if not text or not message.get("destinations"):
                raise sms("must not be empty", f"messages[{number}].content.text")
            hooks, options = message.get("webhooks") or {}, message.get("options") or {}
            taken += [
                self._take(
                    "sms", destination, bulk, sender=str(message.get("sender") or "InfoSMS"),
                    url=(hooks.get("delivery") or {}).get("url"), count=-(-len(text) // _PART),
                    callbackData=hooks.get("callbackData"), campaignReferenceId=options.get("campaignReferenceId"),
                )
                for destination in message["destinations"]
            ]  # fmt: skip
        shown = [
            {"messageId": m["messageId"], "status": ACCEPTED, "destination": m["to"],
             "details": {"messageCount": m["messageCount"]}}
            for m in taken
        ]  # fmt: skip
        return {"bulkId": bulk, "messages": shown}

    def send_templates(self, body: Mapping[str, Any]) -> Document:
        """`POST /whatsapp/1/message/template` (CONTRACT 6).

        Raises:
            Refusal: 400, envelope A.
        """
        given = body.get("messages")
        if not isinstance(given, list) or not given:
            raise platform(400, "BAD_REQUEST", "Bad request", {"messages": ["must not be empty"]})
        bulk = str(uuid.uuid4())
        for number, message in enumerate(given):
            content = message.get("content") or {}
            if not content.get("templateName") or not content.get("language"):
                wrong = {f"messages[{number}].content.templateName": ["must not be blank"]}
                raise platform(400, "BAD_REQUEST", "Bad request", wrong)
        return {"messages": [self._shown(self._whatsapp(message, bulk)) for message in given], "bulkId": bulk}

    def send_text(self, body: Mapping[str, Any]) -> Document:
        """`POST /whatsapp/1/message/text` (CONTRACT 6).

        Raises:
            Refusal: 400, envelope A.
        """
        if not (body.get("content") or {}).get("text"):
            raise platform(400, "BAD_REQUEST", "Bad request", {"content.text": ["must not be blank"]})
        return self._shown(self._whatsapp(body, str(uuid.uuid4())))

    def log(self, message: str | None) -> Document:
        """`GET /sms/3/logs` (CONTRACT 5)."""
        listed = [m for m in self.messages.values() if m["channel"] == "sms" and message in {None, m["messageId"]}]
        return {"results": [
            {"messageId": m["messageId"], "destination": m["to"], "sender": m["from"], "bulkId": m["bulkId"],
             "status": m["status"], "error": m["error"], "messageCount": m["messageCount"]}
            for m in listed
        ]}  # fmt: skip

    def _whatsapp(self, message: Mapping[str, Any], bulk: str) -> Document:
        return self._take(
            "whatsapp", message, bulk, sender=str(message.get("from") or ""), url=message.get("notifyUrl"), count=1,
            callbackData=message.get("callbackData"),
        )  # fmt: skip

    def _take(
        self,
        channel: str,
        target: Mapping[str, Any],
        bulk: str,
        *,
        sender: str,
        url: str | None,
        count: int,
        **more: Any,
    ) -> Document:
        to = str(target.get("to") or "").lstrip("+")
        if not to.isdigit():
            raise (
                sms("is no phone number", "to")
                if channel == "sms"
                else platform(400, "BAD_REQUEST", "Bad request", {"to": ["is no phone number"]})
            )
        id_ = str(target.get("messageId") or uuid.uuid4())[:_LONGEST_ID]
        message = {"messageId": id_, "bulkId": bulk, "to": to, "from": sender, "channel": channel,
                   "messageCount": count, "status": ACCEPTED, "error": None, **more}  # fmt: skip
        self.messages[id_] = message
        address = url or self.reports_url
        if address is not None:
            self.reporter.follow(message, address, self.prices)
        return message

    @staticmethod
    def _shown(message: Document) -> Document:
        return {name: message[name] for name in ("to", "messageCount", "messageId", "status")}
