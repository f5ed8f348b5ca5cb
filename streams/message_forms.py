"""From a requested message to what each vendor takes, and which vendor takes it. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from schemas.messages import MessageRequest
from schemas.stores import Channel, InfobipAccess, StoreConnection

Vendor = Literal["hellotext", "infobip"]
Form = Literal["sms", "template", "text"]
LONGEST_ID: Final = 200
"""Letters of a message id that Infobip takes from us (contracts/infobip CONTRACT 6), and names in its reports."""


def vendor_of(connection: StoreConnection, channel: Channel) -> Vendor:
    """Return who sends: the store's choice, else Infobip where it is connected and can, else Hellotext."""
    if connection.messages_by is not None:
        return connection.messages_by
    infobip = connection.infobip
    can = infobip is not None and (channel == "sms" or infobip.whatsapp_sender is not None)
    return "infobip" if can else "hellotext"


def hellotext_message(request: MessageRequest, to: str) -> dict[str, Any]:
    """Return the body of `POST /messages` (contracts/hellotext B5); the destination is E.164."""
    message: dict[str, Any] = {"technology": request.channel, "destination": to}
    if request.template is None:
        return {**message, "body": request.text}
    shortlinks = request.parameters.get("shortlinks")
    template = {"id": request.template, "shortlinks": shortlinks} if shortlinks else request.template
    return {**message, "template": template}


def infobip_message(request: MessageRequest, to: str, access: InfobipAccess) -> tuple[Form, dict[str, Any]]:
    """Return which of Infobip's endpoints takes the message, and its body (contracts/infobip CONTRACT 5, 6).

    Numbers are digits without `+`; the campaign goes along, so that the reports tell it.
    """
    number = to.removeprefix("+")
    if request.channel == "sms":
        return "sms", _sms(request, number, access)
    message: dict[str, Any] = {
        "from": (access.whatsapp_sender or "").removeprefix("+"), "to": number, "messageId": request.message,
    }  # fmt: skip
    if request.campaign is not None:
        message["callbackData"] = request.campaign
    if request.template is None:
        return "text", {**message, "content": {"text": request.text}}
    content = {
        "templateName": request.template,
        "templateData": {"body": {"placeholders": placeholders(request.parameters)}},
        "language": str(request.parameters.get("language") or access.language),
    }
    return "template", {**message, "content": content}


def placeholders(parameters: Mapping[str, Any]) -> list[str]:
    """Return a template's values in order: those of `placeholders`, else those named `1`, `2` ..."""
    given = parameters.get("placeholders")
    if isinstance(given, list):
        return [str(value) for value in given]
    numbered = sorted((int(name), value) for name, value in parameters.items() if name.isdecimal())
    return [str(value) for _, value in numbered]


def problem_with(request: MessageRequest, connection: StoreConnection, vendor: Vendor) -> str | None:
    """Return why the message cannot be sent, or None; no personal value."""
    if request.template is None and not request.text:
        return "the message has neither text nor template"
    if vendor == "infobip":
        if connection.infobip is None:
            return "the store is not connected to Infobip"
        if len(request.message) > LONGEST_ID:
            return f"the message id is longer than the {LONGEST_ID} letters that Infobip takes: give it a shorter one"
        if request.channel == "whatsapp" and connection.infobip.whatsapp_sender is None:
            return "the store has no WhatsApp sender at Infobip"
        if request.channel == "sms" and not request.text:
            return "an SMS has a text"
    return None


def _sms(request: MessageRequest, number: str, access: InfobipAccess) -> dict[str, Any]:
    message: dict[str, Any] = {
        "destinations": [{"to": number, "messageId": request.message}],
        "content": {"text": request.text},
    }
    if access.sms_sender is not None:
        message["sender"] = access.sms_sender
    if request.campaign is not None:
        message["options"] = {"campaignReferenceId": request.campaign}
    return message
