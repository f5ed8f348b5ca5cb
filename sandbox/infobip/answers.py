"""Infobip's answers: four error envelopes, and the status of a message (contracts/infobip CONTRACT 1)."""

from typing import Any, Final

import orjson
from starlette.responses import Response

Document = dict[str, Any]

ACCEPTED: Final = {
    "groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED",
    "description": "Message accepted, pending delivery.",
}  # fmt: skip


class Refusal(Exception):  # noqa: N818  an answer, not a failure of ours
    """A request is answered with this instead."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def reply(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(document), status, headers, "application/json")


def platform(status: int, message_id: str, text: str, fields: dict[str, list[str]] | None = None) -> Refusal:
    """Return envelope A: People v2, WhatsApp, and what the platform itself refuses."""
    exception: Document = {"messageId": message_id, "text": text}
    if fields is not None:
        exception["validationErrors"] = fields
    return Refusal(reply({"requestError": {"serviceException": exception}}, status))


def people(code: int, text: str, *properties: str) -> Refusal:
    """Return envelope B: People v3."""
    details = [{"property": name, "message": text} for name in properties]
    return Refusal(reply({"code": code, "message": text, "details": details}, code // 1000))


def sms(text: str, *properties: str) -> Refusal:
    """Return envelope C: SMS v3."""
    violations = [{"property": name, "violation": text} for name in properties]
    body = {"errorCode": "E400", "description": "Request cannot be processed.", "action": "Check the request.",
            "violations": violations, "resources": []}  # fmt: skip
    return Refusal(reply(body, 400))


def too_many(headers: dict[str, str]) -> Response:
    """Return 429."""
    body = {"requestError": {"serviceException": {"messageId": "TOO_MANY_REQUESTS", "text": "Too many requests"}}}
    return reply(body, 429, headers)
