"""Infobip's HTTP API as we use it: People upserts, SMS and WhatsApp (contracts/infobip CONTRACT 2, 3, 5, 6).

The vendor's Python client covers neither People nor WhatsApp (NOTES 3).
"""

from collections.abc import Sequence
from typing import Any, Final

import httpx

from connectors.infobip.answers import MessageStatus, PersonResult, logged, message_status, person_results, problems
from connectors.outbound import NotFound, Unsure, call

VENDOR: Final = "Infobip"
MOST_PERSONS: Final = 1000
"""Of one upsert (CONTRACT 2)."""
Person = dict[str, Any]


class Infobip:
    """One account at Infobip; every method raises `connectors.outbound.CallError`.

    Args:
        http: shared by all stores.
        url: the account's own base URL.
        api_key: with the scopes people:read, people:manage and message:send.
    """

    def __init__(self, http: httpx.AsyncClient, url: str, api_key: str) -> None:
        self._http = http
        self._base = url.rstrip("/")
        self._headers = {"Authorization": f"App {api_key}", "Accept": "application/json"}

    async def upsert(self, persons: Sequence[Person]) -> list[PersonResult]:
        """Create or partly update persons, matched by external id, e-mail or phone; one result for each.

        Repeating it converges (CONTRACT 2). At most `MOST_PERSONS`, five calls a second.
        """
        document = await self._call("PATCH", "/people/3/persons/upsert", json={"persons": list(persons)})
        return person_results(document, len(persons))

    async def erase(self, external_id: str) -> None:
        """Delete the person with our customer id (CONTRACT 3); one that is gone already is deleted."""
        query = {"identifier": external_id, "type": "EXTERNAL_ID"}
        try:
            await self._call("DELETE", "/people/2/persons", params=query)
        except NotFound:
            return

    async def send_sms(self, message: dict[str, Any]) -> MessageStatus:
        """Send one SMS whose destination carries our own message id (CONTRACT 5)."""
        return self._accepted(await self._call("POST", "/sms/3/messages", json={"messages": [message]}))

    async def send_template(self, message: dict[str, Any]) -> MessageStatus:
        """Send one WhatsApp template message with our own message id (CONTRACT 6)."""
        return self._accepted(await self._call("POST", "/whatsapp/1/message/template", json={"messages": [message]}))

    async def send_whatsapp(self, message: dict[str, Any]) -> MessageStatus:
        """Send one free-form WhatsApp message: only inside the customer-service window (CONTRACT 6)."""
        return self._accepted(await self._call("POST", "/whatsapp/1/message/text", json=message))

    async def sms_log(self, message: str) -> MessageStatus | None:
        """Return what the log of the last 48 hours says of our message id; None when it proves the absence."""
        document = await self._call("GET", "/sms/3/logs", params={"messageId": message})
        try:
            return logged(document, message)
        except ValueError as error:
            raise Unsure(f"{VENDOR}'s log tells nothing of the message: {error}") from None

    @staticmethod
    def _accepted(document: Any) -> MessageStatus:
        status = message_status(document)
        if status is None:
            raise Unsure(f"{VENDOR} took a message and did not tell its status")
        return status

    async def _call(self, method: str, path: str, *, json: Any = None, params: dict[str, str] | None = None) -> Any:
        return await call(
            self._http, VENDOR, method, self._base + path, headers=self._headers, problems=problems, json=json,
            params=params,
        )  # fmt: skip
