"""`connect`: from App Key and App Token to a connected store, in a dialogue or by flags alone."""

import sys
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from connectors.console.checks import AccessReport
from connectors.console.connect import (
    STORE_NAME,
    ConnectionRequest,
    check_keys,
    connect_store,
    country_defaults,
    given_before,
    read_account,
    standing,
)
from connectors.kafka.secrets import SecretBox
from connectors.pixel.snippet import hooks_for, snippets_for
from hellotext_vtex.foreground import WRONG_USAGE, execute, fail, print_json
from hellotext_vtex.keys import open_box
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from schemas.stores import StoreConnection

_MARKS = {"ok": "[green]✓[/]", "failed": "[red]✗[/]", "unknown": "[yellow]?[/]"}
_SAID = {
    "missing": "must be given", "string_too_short": "must be given",
    "string_pattern_mismatch": f"give {STORE_NAME}",
}  # fmt: skip
_FLAGS = {"origins": "origin"}
"""Fields whose flag has another name."""
_QUESTIONS = {
    "vtex_account": "VTEX account (name, or the shop's address)", "vtex_app_key": "App Key",
    "vtex_app_token": "App Token", "hellotext_business": "Hellotext business id",
    "hellotext_token": "Hellotext private token",
}  # fmt: skip
_PERHAPS_KNOWN = {
    "vtex_account": "acme", "vtex_app_key": "k", "vtex_app_token": "t", "hellotext_business": "b",
    "hellotext_token": "t",
}  # fmt: skip
"""Stand for what the store may have been connected with, as long as no broker has been asked."""
Text = str | None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stores")(connect)


def connect(
    store: Annotated[Text, typer.Option(help="Name of the store here; the account's name by default.")] = None,
    vtex_account: Annotated[Text, typer.Option(help="Account name, or any address of the shop.")] = None,
    vtex_url: Annotated[Text, typer.Option(help="Base URL of VTEX, for stand-ins and proxies.")] = None,
    vtex_app_key: Annotated[
        Text, typer.Option(envvar="VTEX_APP_KEY", help="vtexappkey-..., from Account settings.")
    ] = None,
    vtex_app_token: Annotated[Text, typer.Option(envvar="VTEX_APP_TOKEN", help="Shown once, beside its key.")] = None,
    hellotext_url: Annotated[Text, typer.Option(help="Base URL of Hellotext's API, ending in /v1.")] = None,
    hellotext_business: Annotated[Text, typer.Option(help="Public business id, as in your Hellotext snippet.")] = None,
    hellotext_token: Annotated[Text, typer.Option(envvar="HELLOTEXT_TOKEN", help="Private token.")] = None,
    infobip_url: Annotated[Text, typer.Option(help="Your own base URL at Infobip; empty disconnects it.")] = None,
    infobip_key: Annotated[
        Text, typer.Option(envvar="INFOBIP_KEY", help="API key; needs people:read and people:manage.")
    ] = None,
    country: Annotated[Text, typer.Option(help="ISO 3166-1 alpha-2; BR by default.")] = None,
    timezone: Annotated[Text, typer.Option(help="IANA name; the country's by default.")] = None,
    currency: Annotated[Text, typer.Option(help="ISO 4217; the country's by default.")] = None,
    origin: Annotated[list[str] | None, typer.Option(help="Origin whose pages may send events; repeatable.")] = None,
    privacy: Annotated[Text, typer.Option(help="lgpd, gdpr or none; none by default.")] = None,
    check: Annotated[bool, typer.Option(help="Ask VTEX, Hellotext and Infobip whether the keys work.")] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Renew a connection even when nobody could tell whether the new keys work.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Connect a store, or renew the keys of one that is connected: what is not given stays as it was.

    A store that is connected keeps its keys when VTEX, Hellotext or Infobip does not answer whether the new ones work.

    Example: hellotext-vtex connect --vtex-account acme --vtex-app-key vtexappkey-acme-ABCDEF
    --vtex-app-token TOKEN --hellotext-business xy76ks --hellotext-token TOKEN --yes
    """
    given: dict[str, Any] = {
        "store": store, "vtex_account": vtex_account, "vtex_url": vtex_url, "vtex_app_key": vtex_app_key,
        "vtex_app_token": vtex_app_token, "hellotext_url": hellotext_url, "hellotext_business": hellotext_business,
        "hellotext_token": hellotext_token, "infobip_url": infobip_url, "infobip_key": infobip_key,
        "country": country, "timezone": timezone, "currency": currency, "origins": tuple(origin) if origin else None,
        "privacy": privacy,
    }  # fmt: skip
    asked = not yes and _ask_whose(given)
    _refuse_what_is_wrong(given)
    settings = connected(quiet=True)
    stands = execute(lambda: _standing(settings, given))
    if asked and stands:  # the account has named the store, whose address stays
        given |= {name: stands[name] for name in ("vtex_account", "vtex_url")}
    if not yes:
        _ask_for_keys(given, stands)
    given = _without_stale(stands, given) | {name: value for name, value in given.items() if value is not None}
    if not yes:
        _ask_for_places(given)
    request = _request(given)
    report = execute(lambda: _check(request)) if check else None
    if not json:
        _show(report)
    if report is not None and not report.ok:
        fail("nothing was connected: " + " ".join(each.detail for each in report.failed))
    if stands and report is not None and report.unanswered and not force:
        _keep_what_works(stands["store"], report, ask=not yes)
    if not yes and not typer.confirm(f"Connect {request.store}?", default=True, err=True):
        raise typer.Exit(1)
    box = open_box(settings)
    row = execute(lambda: _connect(settings, request, box))
    _tell(settings, row, box, report, as_json=json)


async def _standing(settings: Settings, given: dict[str, Any]) -> dict[str, Any]:
    """Return what the store was connected with; nothing when it is new."""
    name = given["store"] or read_account(given["vtex_account"] or "")[0]
    row = await standing(await ensure_topics(settings), name.strip())
    return {} if row is None else given_before(row, open_box(settings))


def _without_stale(before: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return what the store was connected with, without what something given stands for."""
    stale = {"vtex_url"} if given["vtex_account"] else set()
    if given["country"] and given["country"].strip().upper() != before.get("country"):
        stale |= {"timezone", "currency"}
    if given["infobip_url"] is not None and not given["infobip_url"].strip():
        stale |= {"infobip_key"}
    return {field: value for field, value in before.items() if field not in stale}


def _keep_what_works(store: str, report: AccessReport, *, ask: bool) -> None:
    """Let a connection stand that would be replaced by one of which nobody knows whether it works."""
    untold = " ".join(dict.fromkeys(each.detail for each in report.unanswered))
    if not ask:
        fail(f"nothing was changed: store {store} keeps its connection. {untold} To renew it all the same: --force")
    if not typer.confirm(f"{untold} Replace the connection of {store} all the same?", default=False, err=True):
        raise typer.Exit(1)


def _ask_whose(given: dict[str, Any]) -> bool:
    """Ask for the account, unless something given names the store: what is to be asked hangs on what it has."""
    if given["store"] is not None or given["vtex_account"] is not None:
        return False
    if not _somebody_answers():
        _fail_without([name for name in _QUESTIONS if given[name] is None])
    given["vtex_account"] = typer.prompt(_QUESTIONS["vtex_account"], err=True)
    return True


def _ask_for_keys(given: dict[str, Any], stands: dict[str, Any]) -> None:
    """Ask for what was not given; of a store that is connected a blank answer keeps what stands."""
    missing = [name for name in _QUESTIONS if given[name] is None]
    if not _somebody_answers():
        _fail_without([name for name in missing if name not in stands])
        return
    for name in missing:
        question, hidden = _QUESTIONS[name], name.endswith("token")
        if name in stands:
            asked = f"{question} (blank keeps it)"
            given[name] = typer.prompt(asked, default="", show_default=False, hide_input=hidden, err=True) or None
        else:
            given[name] = typer.prompt(question, hide_input=hidden, err=True)


def _somebody_answers() -> bool:
    return sys.stdin.isatty()


def _fail_without(names: list[str]) -> None:
    if names:
        missing = ", ".join(f"--{name.replace('_', '-')}" for name in names)
        fail(f"missing {missing}: give them, and --yes to be asked nothing", WRONG_USAGE)


def _ask_for_places(given: dict[str, Any]) -> None:
    if not _somebody_answers():
        return
    zone, currency = country_defaults(str(given.get("country") or "BR").strip().upper())
    given["timezone"] = given.get("timezone") or typer.prompt("Time zone", default=zone, err=True)
    given["currency"] = given.get("currency") or typer.prompt("Currency", default=currency, err=True)


def _refuse_what_is_wrong(given: dict[str, Any]) -> None:
    """Refuse what can be seen to be wrong before a broker is looked for; what is missing may be known there."""
    pairs = {"infobip_url", "infobip_key"}
    _request(_PERHAPS_KNOWN | {name: None if name in pairs else value for name, value in given.items() if value})


def _request(given: dict[str, Any]) -> ConnectionRequest:
    named = {name: value for name, value in given.items() if value is not None}
    try:
        return ConnectionRequest(**named)
    except ValidationError as error:
        fail(_by_flag(error), WRONG_USAGE)


def _by_flag(error: ValidationError) -> str:
    """Return what is wrong, by the flags that were given or are missing."""
    lines = []
    for one in error.errors():
        flag = "".join(f"--{_FLAGS.get(str(name), str(name).replace('_', '-'))}: " for name in one["loc"][:1])
        lines.append(flag + _SAID.get(one["type"], one["msg"].removeprefix("Value error, ")))
    return "; ".join(lines)


async def _check(request: ConnectionRequest) -> AccessReport:
    return await check_keys(request)


async def _connect(settings: Settings, request: ConnectionRequest, box: SecretBox) -> StoreConnection:
    connection = await ensure_topics(settings)
    return await connect_store(request, connection, box)


def _show(report: AccessReport | None) -> None:
    console = Console(stderr=True, highlight=False)
    for check in report.checks if report is not None else ():
        detail = f"  [dim]{escape(check.detail)}[/]" if check.detail else ""
        console.print(f" {_MARKS[check.verdict]} {check.system}: {check.subject}{detail}", soft_wrap=True)


def _tell(
    settings: Settings, row: StoreConnection, box: SecretBox, report: AccessReport | None, *, as_json: bool
) -> None:
    base = settings.public_collector_url
    hooks = hooks_for(row, base, box.unseal(row.hook_secret))
    result = {
        "store": row.store,
        "business": row.hellotext.business_id,
        "collector": base,
        "snippet": snippets_for(row, base).pixel,
        "reports_url": hooks.reports,
        "customers_trigger_url": hooks.customers,
        "orders_hook_url": hooks.orders,
        "server_token": box.unseal(row.server_token),
        "checks": [
            {"system": each.system, "subject": each.subject, "verdict": each.verdict, "detail": each.detail}
            for each in (report.checks if report is not None else ())
        ],
    }
    if as_json:
        print_json(result)
        return
    unknown = report is not None and any(each.system == "VTEX" and each.verdict == "unknown" for each in report.checks)
    told = "VTEX could not be asked about everything (see above)." if unknown else "A poller reads its customers now."
    print(f"Store {row.store} is connected. {told}\n")
    print(f"Pixel, for every page of the shop:\n  {result['snippet']}\n")
    print("These addresses carry the store's secret; give them to VTEX and Infobip only:")
    print(f"  Infobip reports           {result['reports_url']}")
    print(f"  Master Data triggers      {result['customers_trigger_url']}")
    print(f"  OMS hook                  {result['orders_hook_url']}")
