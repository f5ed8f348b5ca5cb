"""Hellotext's REST API as we use it (contracts/hellotext CONTRACT part B).

Two credentials, never mixed (NOTES 3): the private token for profiles, sessions and messages; the public business id
for what a page would have sent (B3: events posted with it are queued without being validated).
"""

from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import httpx

from connectors.hellotext.answers import id_of, problems, state_of, tells_errors
from connectors.outbound import Invalid, NotFound, Unsure, call, safe_words

VENDOR: Final = "Hellotext"
Fields = dict[str, Any]


class Hellotext:
    """One business at Hellotext; every method raises `connectors.outbound.CallError`.

    Args:
        http: shared by all stores.
        url: base of the API, ending in /v1.
        business_id: public.
        token: private.

    Example:
        hellotext = Hellotext(http, connection.hellotext.url, connection.hellotext.business_id, token)
        profile = await hellotext.create_profile({"first_name": "Ana", "email[primary]": "ana@shop.example"})
        await hellotext.update_profile(profile, {"first_name": "Anna"})
    """

    def __init__(self, http: httpx.AsyncClient, url: str, business_id: str, token: str) -> None:
        self._http = http
        self._base = url.rstrip("/")
        self._public = _headers(business_id)
        self._private = _headers(token)

    async def create_profile(self, fields: Fields) -> str:
        """Create a profile, or match the one that has the e-mail or phone; return its id (B1)."""
        document = await self._call("POST", "/profiles", self._private, fields)
        profile = id_of(document)
        if profile is None:
            raise Unsure(f"{VENDOR} created a profile and did not tell its id")
        return profile

    async def update_profile(self, profile: str, fields: Fields) -> None:
        """Change the given fields of a profile (B1); raises `NotFound` when it is gone."""
        await self._call("PATCH", f"/profiles/{_part(profile)}", self._private, fields)

    async def profile(self, profile: str) -> Fields:
        """Return a profile as Hellotext shows it (B1); its shape beyond `id` is not documented (NOTES 7)."""
        document = await self._call("GET", f"/profiles/{_part(profile)}", self._private)
        return document if isinstance(document, dict) else {}

    async def delete_profile(self, profile: str) -> None:
        """Delete a profile (B1, assumed); one that is gone already is deleted.

        Whether there is such a call is not documented: a 404 is only believed when the profile cannot be read either.

        Raises:
            Invalid: the profile is still there.
        """
        path = f"/profiles/{_part(profile)}"
        try:
            await self._call("DELETE", path, self._private)
        except NotFound:
            with suppress(NotFound):
                await self._call("GET", path, self._private)
                told = f"{VENDOR} answered 404 to the deletion of a profile that is still there"
                raise Invalid(told, status=HTTPStatus.METHOD_NOT_ALLOWED) from None

    async def link_session(self, session: str, profile: str) -> None:
        """Say that a browser session is a profile's (B2).

        Hellotext answers 200 even when it refuses to re-assign; `NotFound` until the session's first event.
        """
        await self._call("PATCH", f"/sessions/{_part(session)}", self._private, {"profile": profile})

    async def track(self, event: Fields) -> None:
        """Send a tracking event as a page would have (A3.1, B3)."""
        await self._call("POST", "/track/events", self._public, event)

    async def acknowledge(self, acknowledgement: Fields) -> None:
        """Send a session acknowledgement as a page would have (A3.2)."""
        await self._call("POST", "/public/acks", self._public, acknowledgement)

    async def identify(self, identification: Fields) -> None:
        """Send an identification as a page would have (A3.4)."""
        await self._call("POST", "/public/identifications", self._public, identification)

    async def send_message(self, message: Fields) -> str | None:
        """Send a message (B5); return its id where Hellotext tells it. There is no idempotency key."""
        return id_of(await self._call("POST", "/messages", self._private, message))

    async def message_state(self, message: str) -> str | None:
        """Return `pending`, `routed`, `delivered` or `failed` (B5); None when the answer tells no state."""
        return state_of(await self._call("GET", f"/messages/{_part(message)}", self._private))

    async def _call(self, method: str, path: str, headers: dict[str, str], json: Fields | None = None) -> Any:
        url = self._base + path
        document = await call(self._http, VENDOR, method, url, headers=headers, problems=problems, json=json)
        if method != "GET" and tells_errors(document):  # what is read may tell the errors of a failed message
            told = ", ".join(safe_words(problems(document)))
            raise Unsure(f"{VENDOR} answered a success that tells an error" + (f": {told}" if told else ""))
        return document


def _headers(bearer: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}


def _part(value: str) -> str:
    return quote(value, safe="")
