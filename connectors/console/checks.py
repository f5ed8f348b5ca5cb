"""Do these keys work, and what are they missing? Asked before a connection is written (contracts/vtex NOTES 1).

VTEX: the token login needs no role, so it tells a wrong key from a missing role; then the cheapest read of each
resource that the poller needs. Hellotext and Infobip: one cheap read each. What could not be found out (no answer, an
answer nobody documented) is `unknown`, never `failed`: only a clear no stops a connection.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Literal

import httpx

from connectors.bounded import read_at_most
from connectors.console.request import ConnectionRequest
from connectors.vtex.errors import RESOURCES

Verdict = Literal["ok", "failed", "unknown"]
TIMEOUT_S: Final = 15.0
LARGEST: Final = 1 << 20
"""Bytes of an answer: those asked for have some hundred, and an address may be anybody's."""
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer.

    Attributes:
        system: `VTEX`, `Hellotext` or `Infobip`.
        subject: what was asked.
        detail: what to do where it is not `ok`; never a secret.
        answered: whether the system has told; what is unknown although it did is its answer's own matter.
    """

    system: str
    subject: str
    verdict: Verdict
    detail: str = ""
    answered: bool = True


@dataclass(frozen=True, slots=True)
class AccessReport:
    """What keys can do."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is known to be missing."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """Return what must be put right before connecting."""
        return tuple(check for check in self.checks if check.verdict == "failed")

    @property
    def unanswered(self) -> tuple[Check, ...]:
        """Return what nobody has told: no reason against a first connection, but one against a renewal."""
        return tuple(check for check in self.checks if not check.answered)


@dataclass(frozen=True, slots=True)
class _Resource:
    subject: str
    path: str
    missing: str
    allowed: frozenset[int] = frozenset((200, 206))


# 404: allowed, and no feed is configured yet.
_FEED: Final = _Resource(
    "follow orders", "/api/orders/feed/config", RESOURCES["orders feed"], frozenset((200, 204, 404))
)
_RESOURCES: Final = (
    _Resource(
        "read customers", "/api/dataentities/CL/search?_fields=id", RESOURCES["customers"],
    ),
    _Resource(
        "read addresses", "/api/dataentities/AD/search?_fields=id", RESOURCES["addresses"],
    ),
    _Resource("list orders", "/api/oms/pvt/orders?per_page=1", RESOURCES["orders list"]),
    _FEED,
)  # fmt: skip


async def check_keys(request: ConnectionRequest, http: httpx.AsyncClient | None = None) -> AccessReport:
    """Ask VTEX, Hellotext and Infobip whether the keys work; takes at most some seconds and changes nothing.

    Args:
        request: with the keys in clear.
        http: to be used instead of a client of its own.
    """
    async with AsyncExitStack() as exits:
        client = http if http is not None else await exits.enter_async_context(httpx.AsyncClient(timeout=TIMEOUT_S))
        asked = [check_vtex(request, client), check_hellotext(request, client)]
        if request.infobip_url is not None:
            asked.append(check_infobip(request, client))
        return AccessReport(tuple(check for checks in await asyncio.gather(*asked) for check in checks))


async def check_vtex(request: ConnectionRequest, http: httpx.AsyncClient) -> list[Check]:
    """Ask VTEX: the token login, then each resource."""
    base, token = request.vtex_url or "", request.vtex_app_token.get_secret_value()
    subject = "App Key and App Token"
    login = await _ask(
        http, "POST", f"{base}/api/vtexid/apptoken/login", json={"appkey": request.vtex_app_key, "apptoken": token}
    )
    if isinstance(login, str):
        told = f"{base} did not answer ({login}): check the address, then retry."
        return [Check("VTEX", subject, "unknown", told, answered=False)]
    status = _json(login).get("authStatus")
    if login.status_code in {400, _UNAUTHORIZED, _FORBIDDEN} or (login.is_success and status not in {None, "Success"}):
        return [Check(
            "VTEX", subject, "failed",
            f"VTEX refuses this App Key and App Token for account {request.vtex_account}. Copy both again; the token "
            "is shown only once, so make a new key in Account settings > Application keys if it is lost.",
        )]  # fmt: skip
    checks = [Check("VTEX", subject, "ok")] if login.is_success else []
    headers = {
        "X-VTEX-API-AppKey": request.vtex_app_key, "X-VTEX-API-AppToken": token,
        "Accept": "application/json", "REST-Range": "resources=0-1",
    }  # fmt: skip
    answers = await asyncio.gather(*(_ask(http, "GET", base + part.path, headers=headers) for part in _RESOURCES))
    if all(not isinstance(answer, str) and answer.status_code == _NOT_FOUND for answer in (login, *answers)):
        return [Check(
            "VTEX", "account", "failed",
            f"There is no VTEX account {request.vtex_account} at {base}: copy its name from the address of the shop's "
            "admin.",
        )]  # fmt: skip
    return checks + [_vtex_verdict(part, answer) for part, answer in zip(_RESOURCES, answers, strict=True)]


def _vtex_verdict(part: _Resource, answer: httpx.Response | str) -> Check:
    if isinstance(answer, str):
        return Check("VTEX", part.subject, "unknown", f"VTEX did not answer ({answer}): try again.", answered=False)
    if answer.status_code in part.allowed:
        return Check("VTEX", part.subject, "ok")
    if answer.status_code == _FORBIDDEN and part is _FEED:
        return Check(
            "VTEX", part.subject, "unknown",
            "The key may not follow orders: they come by lists, a minute or more later, and refunds later still. To be "
            f"told at once, give its role the License Manager resource “{part.missing}”.",
        )  # fmt: skip
    if answer.status_code in {_UNAUTHORIZED, _FORBIDDEN}:
        return Check(
            "VTEX", part.subject, "failed",
            f"The key may not {part.subject}: in Account settings > User roles, give its role the License Manager "
            f"resource “{part.missing}”, then check again.",
        )  # fmt: skip
    told = f"VTEX answered {answer.status_code}: try again later."
    return Check("VTEX", part.subject, "unknown", told, answered=False)


async def check_hellotext(request: ConnectionRequest, http: httpx.AsyncClient) -> list[Check]:
    """Ask Hellotext for one profile and for the business (contracts/hellotext CONTRACT B1, A3.3)."""
    base = request.hellotext_url
    headers = {"Authorization": f"Bearer {request.hellotext_token.get_secret_value()}", "Accept": "application/json"}
    token, business = await asyncio.gather(
        _ask(http, "GET", f"{base}/profiles?limit=1", headers=headers),
        _ask(http, "GET", f"{base}/public/businesses/{request.hellotext_business}",
             headers={"Authorization": f"Bearer {request.hellotext_business}"}),
    )  # fmt: skip
    wrong = "Hellotext refuses this token: make one in Settings > Authorization tokens and copy it whole."
    checks = [_simple("Hellotext", "token", token, wrong, "Your plan or the token's permissions exclude profiles.")]
    if not isinstance(business, str) and business.status_code in {_UNAUTHORIZED, _NOT_FOUND}:
        checks.append(Check(
            "Hellotext", "business id", "unknown",
            "Hellotext does not know this business id: compare it with the one in your Hellotext snippet.",
        ))  # fmt: skip
    elif not isinstance(business, str) and business.is_success:
        checks.append(Check("Hellotext", "business id", "ok"))
    return checks


async def check_infobip(request: ConnectionRequest, http: httpx.AsyncClient) -> list[Check]:
    """Ask Infobip for one person (contracts/infobip CONTRACT 3)."""
    key = request.infobip_key.get_secret_value() if request.infobip_key else ""
    headers = {"Authorization": f"App {key}", "Accept": "application/json"}
    answer = await _ask(http, "GET", f"{request.infobip_url}/people/2/persons?limit=1", headers=headers)
    wrong = "Infobip refuses this API key: copy it again, and check that the base URL is your own."
    return [_simple("Infobip", "API key", answer, wrong, "The API key lacks the scopes people:read and people:manage.")]


def _simple(system: str, subject: str, answer: httpx.Response | str, wrong: str, excluded: str) -> Check:
    if isinstance(answer, str):
        told = f"{system} did not answer ({answer}): check the address, then retry."
        return Check(system, subject, "unknown", told, answered=False)
    if answer.is_success:
        return Check(system, subject, "ok")
    if answer.status_code == _UNAUTHORIZED:
        return Check(system, subject, "failed", wrong)
    if answer.status_code == _FORBIDDEN:
        return Check(system, subject, "failed", excluded)
    told = f"{system} answered {answer.status_code}: try again later."
    return Check(system, subject, "unknown", told, answered=False)


async def _ask(http: httpx.AsyncClient, method: str, url: str, **options: Any) -> httpx.Response | str:
    try:
        async with asyncio.timeout(TIMEOUT_S * 2), http.stream(method, url, **options) as answer:
            body = await read_at_most(answer, LARGEST)
            return (
                "its answer does not end" if len(body) > LARGEST else httpx.Response(answer.status_code, content=body)
            )
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        # The error's own text can carry the address with its query; its kind says enough.
        return type(error).__name__


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
