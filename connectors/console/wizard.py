"""The connection wizard: describe the store, have its keys checked, connect it. Three pages, each with one form.

The draft waits in memory under a random cookie; a secret that was typed never goes back to the browser. Of a store that
is connected already the form starts from what stands (again.py).
"""

from typing import Any, Final

from pydantic import SecretStr, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.console.again import AGAIN, fields_of, kept_in, moved, named_in, start_from, there_already
from connectors.console.choices import countries, currencies, zones
from connectors.console.connect import (
    STORE_NAME,
    BusinessTakenError,
    ConnectionRequest,
    StoreUnreadableError,
    check_keys,
    connect_store,
    given_before,
    standing,
)  # fmt: skip
from connectors.console.console import Console
from connectors.console.drafts import SECRETS, Draft, Ticket
from connectors.console.form import read_form
from connectors.console.links import store_link
from connectors.console.setup import TICKET
from connectors.kafka.errors import KafkaSetupError

DRAFT: Final = "draft"
_GONE: Final = (
    "Nothing was connected: what was typed is not here any more. It is kept for half an hour, until the store is "
    "connected or the console restarts. Please type it again."
)
_OTHER: Final = (
    "Nothing was connected: another window of this browser has described a store since. This is that one; what the "
    "window showed before would have to be typed again."
)
_CONNECTED: Final = (
    "Store {} is connected already. This is what it is connected with, and what you have typed in its place: look "
    "through it, and check the keys once more."
)
_MOVED: Final = "Please type it: the one that stands was given for another address or App Key."
FIELDS: Final = frozenset(ConnectionRequest.model_fields)
_DERIVED: Final = frozenset(("store", "vtex_url"))
_PAIR: Final = "infobip_key"
"""Where a rule about several fields is told: there is one, that Infobip needs its address and its key."""
_MESSAGES: Final = {
    "string_too_short": "Please fill this in.",
    "missing": "Please fill this in.",
    "string_pattern_mismatch": f"Please use {STORE_NAME}.",
}


def routes(console: Console) -> list[Route]:
    """Return the addresses of the wizard."""

    async def check(request: Request) -> Response:
        fields = await read_form(request)
        draft = _draft_of(console, request, fields)
        draft.take(fields)
        errors = await _look_up(console, draft)
        wanted, errors = (None, errors) if errors else read_request(draft)
        if wanted is None:
            response = _form(console, request, draft, errors, status=422)
        else:
            await _check(console, draft, wanted)
            response = RedirectResponse("/connect/review", 303)
        _remember(console, request, response, draft)
        return response

    async def review(request: Request) -> Response:
        draft = _draft(console, request)
        wanted = read_request(draft)[0] if draft else None
        if draft is None or wanted is None:
            return _gone(console, request) if DRAFT in request.cookies else RedirectResponse("/connect", 303)
        return _review(console, request, draft, wanted)

    async def decide(request: Request) -> Response:
        draft, fields = _draft(console, request), await read_form(request)
        wanted = read_request(draft)[0] if draft else None
        if draft is None or wanted is None:
            return _gone(console, request)
        if fields.get("action") != "connect" or draft.report is None:
            await _check(console, draft, wanted)
            return RedirectResponse("/connect/review", 303)
        if fields.get("revision") != draft.revision or not draft.report.ok:
            error = "" if fields.get("revision") == draft.revision else _OTHER
            return _review(console, request, draft, wanted, status=409, error=error)
        return await _connect(console, request, draft, wanted)

    return [
        *_starts(console),
        Route("/connect", check, methods=["POST"]),
        Route("/connect/review", review),
        Route("/connect/review", decide, methods=["POST"]),
    ]


def _starts(console: Console) -> list[Route]:
    """Return the addresses where a form begins: with what was typed, with nothing, with what stands."""

    async def form(request: Request) -> Response:
        return _form(console, request, _draft(console, request) or Draft(), {})

    async def another(request: Request) -> Response:
        return _form(console, request, Draft(), {})

    async def again(request: Request) -> Response:
        return _form(console, request, Draft(fields_of(console.store(request).connection)), {})

    return [
        Route("/connect", form),
        Route("/connect/another", another),
        Route("/stores/{store}/connection", again),
    ]


def read_request(draft: Draft) -> tuple[ConnectionRequest | None, dict[str, str]]:
    """Return what a draft asks for, or what is wrong with it, by field."""
    given: dict[str, Any] = {name: value for name, value in draft.fields.items() if name in FIELDS}
    given |= {name: draft.secrets[name].get_secret_value() for name in SECRETS if name in draft.secrets}
    try:
        wanted = ConnectionRequest.model_validate({**given, **kept_in(draft)})
        elsewhere = moved(draft, wanted)
        return (None, dict.fromkeys(elsewhere, _MOVED)) if elsewhere else (wanted, {})
    except ValidationError as error:
        found = {
            str(each["loc"][0]) if each["loc"] else _PAIR: _MESSAGES.get(each["type"], _sentence(each["msg"]))
            for each in error.errors(include_input=False, include_url=False, include_context=False)
        }
    if "vtex_account" in found:
        # What was derived from a wrong account is nobody's mistake of its own.
        found = {name: text for name, text in found.items() if name not in _DERIVED or given.get(name)}
    return None, found


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{text[:1].upper()}{text[1:]}."


async def _look_up(console: Console, draft: Draft) -> dict[str, str]:
    """Have a draft know what its store is connected with; returns what must be said before anything is checked."""
    view = console.model.stores.get(named_in(draft))
    if view is None:
        return {}
    if draft.fields.get(AGAIN) != view.store:
        start_from(view.connection, draft)
        return {"": _CONNECTED.format(view.store)}
    try:
        row = await standing(console.connection, view.store)
        draft.before = {} if row is None else given_before(row, console.secrets)
    except (StoreUnreadableError, KafkaSetupError) as error:
        return {"": str(error)}
    return {}


async def _check(console: Console, draft: Draft, wanted: ConnectionRequest) -> None:
    revision = draft.revision
    async with console.checking:
        report = await check_keys(wanted, console.http)
    if draft.revision == revision:  # else it is about what another window has typed meanwhile
        draft.report, draft.error = report, ""


async def _connect(console: Console, request: Request, draft: Draft, wanted: ConnectionRequest) -> Response:
    try:
        row = await connect_store(wanted, console.connection, console.secrets)
    except (BusinessTakenError, StoreUnreadableError, KafkaSetupError) as error:
        draft.error = str(error)
        return _review(console, request, draft, wanted, status=409)
    console.drafts.pop(request.cookies.get(DRAFT))
    unseal = console.secrets.unseal
    own = () if kept_in(draft) else (SecretStr(unseal(row.hook_secret)), SecretStr(unseal(row.server_token)))
    ticket = console.tickets.put(Ticket(row.store, *own))
    response = RedirectResponse(store_link(row.store, "setup"), 303)
    response.delete_cookie(DRAFT, path="/connect", httponly=True, samesite="strict")
    response.set_cookie(TICKET, ticket, max_age=600, path="/stores", httponly=True, samesite="strict")
    # The page that follows must know the store: the topic tells it, some milliseconds later.
    await console.model.until_connected(row)
    return response


def _form(console: Console, request: Request, draft: Draft, errors: dict[str, str], *, status: int = 200) -> Response:
    advanced = ("vtex_url", "hellotext_url", *(() if draft.fields.get(AGAIN) else ("store",)))
    return console.page(
        request, "wizard.html", status=status, draft=draft, errors=errors, countries=countries(console.settings.locale),
        currencies=currencies(), zones=zones(), first=not console.model.stores, again=draft.fields.get(AGAIN, ""),
        has=there_already(draft),
        advanced_open=any(name in errors or draft.fields.get(name) for name in advanced),
        infobip_open=bool(draft.fields.get("infobip_url") or errors.keys() & {"infobip_url", "infobip_key"}),
    )  # fmt: skip


def _gone(console: Console, request: Request) -> Response:
    """Say that a draft was lost, rather than show an empty form to somebody who had filled one in."""
    response = _form(console, request, Draft(), {"": _GONE}, status=409)
    response.delete_cookie(DRAFT, path="/connect", httponly=True, samesite="strict")
    return response


def _review(
    console: Console,
    request: Request,
    draft: Draft,
    wanted: ConnectionRequest,
    *,
    status: int = 200,
    error: str = "",
) -> Response:
    known = console.model.stores.get(wanted.store or wanted.vtex_account)
    return console.page(
        request, "review.html", status=status, draft=draft, wanted=wanted, report=draft.report, known=known,
        error=error or draft.error,
    )  # fmt: skip


def _draft(console: Console, request: Request) -> Draft | None:
    return console.drafts.get(request.cookies.get(DRAFT))


def _draft_of(console: Console, request: Request, fields: dict[str, str]) -> Draft:
    """Return the draft that a form goes on with: keys typed for one store are not to be taken for another's."""
    draft = _draft(console, request)
    return draft if draft and draft.fields.get(AGAIN, "") == fields.get(AGAIN, "") else Draft()


def _remember(console: Console, request: Request, response: Response, draft: Draft) -> None:
    if _draft(console, request) is not draft:
        response.set_cookie(DRAFT, console.drafts.put(draft), path="/connect", httponly=True, samesite="strict")
