"""`stores`: who is connected, and what can be chosen for each of them."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Any

import typer
from rich.table import Table

from connectors.console.rows import remove_row, write_row
from connectors.kafka.stores import StoreDirectory
from connectors.vtex.problems import Problem, problems_by_store
from hellotext_vtex.foreground import CommandError, execute, fail, print_json
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import terminal
from schemas.money import to_micros
from schemas.stores import Price, Rate, StoreConnection
from schemas.topics import STORES

_SECRET = {"app_token", "token", "api_key", "hash_secret", "hook_secret", "server_token"}
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="Name of the store.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Connected stores.", no_args_is_help=True)
    for command, name in ((list_stores, "list"), (show, "show"), (pause, "pause"), (resume, "resume"),
                          (choose, "set"), (remove, "remove")):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="stores", rich_help_panel="Stores")


def list_stores(json: Json = False) -> None:
    """List the connected stores.

    Example: hellotext-vtex stores list --json
    """
    settings = connected(quiet=True)
    rows, problems = execute(lambda: _all(settings))
    if json:
        print_json([told(row, problems.get(row.store, ())) for row in rows])
        return
    if not rows:
        print("No store is connected: hellotext-vtex connect")
        return
    table = Table("store", "VTEX account", "Hellotext business", "Infobip", "country", "currency", "time zone", "state")
    for row in rows:
        table.add_row(
            row.store, row.vtex.account, row.hellotext.business_id, "yes" if row.infobip else "no", row.country,
            row.currency, row.timezone, state_of(row, problems.get(row.store, ())),
        )  # fmt: skip
    terminal().print(table)


def show(store: Name, json: Json = False) -> None:
    """Show a store's settings, without its secrets, and what is wrong with reading it.

    Example: hellotext-vtex stores show acme
    """
    settings = connected(quiet=True)
    row = told(*execute(lambda: _one(settings, store)))
    if json:
        print_json(row)
        return
    for name, text in lines(row):
        print(f"{name:26} {text}")


def pause(store: Name) -> None:
    """Stop reading a store from VTEX; what pages and vendors send is still taken.

    Example: hellotext-vtex stores pause acme
    """
    settings = connected(quiet=True)
    execute(lambda: _change(settings, store, paused=True))
    print(f"{store} is paused.")


def resume(store: Name) -> None:
    """Go on reading a store where it was paused.

    Example: hellotext-vtex stores resume acme
    """
    settings = connected(quiet=True)
    execute(lambda: _change(settings, store, paused=False))
    print(f"{store} is followed again.")


def choose(
    store: Name,
    origin: Annotated[
        list[str] | None, typer.Option(help="Origins whose pages may send events (replaces all).")
    ] = None,
    privacy: Annotated[str | None, typer.Option(help="lgpd, gdpr or none.")] = None,
    click_window: Annotated[int | None, typer.Option(help="Hours that a click counts.", min=1)] = None,
    delivery_window: Annotated[int | None, typer.Option(help="Hours that a delivery counts.", min=1)] = None,
    price: Annotated[
        list[str] | None, typer.Option(help="CHANNEL[:COUNTRY]=PRICE CURRENCY, as whatsapp:BR=0.21BRL (replaces all).")
    ] = None,
    rate: Annotated[
        list[str] | None, typer.Option(help="CURRENCY=RATE@DAY, as EUR=6.10@2026-11-01 (added to those known).")
    ] = None,
) -> None:
    """Choose a store's settings.

    Example: hellotext-vtex stores set acme --price whatsapp=0.21BRL --rate EUR=6.10@2026-11-01
    """
    changes: dict[str, Any] = {
        "origins": tuple(origin) if origin is not None else None, "privacy": privacy,
        "click_window_hours": click_window, "delivery_window_hours": delivery_window,
        "prices": tuple(read_price(text) for text in price) if price is not None else None,
    }  # fmt: skip
    rates = tuple(read_rate(text) for text in rate or ())
    given = {name: value for name, value in changes.items() if value is not None}
    if not given and not rates:
        fail("nothing to set: give at least one option", 2)
    settings = connected(quiet=True)
    execute(lambda: _change(settings, store, more_rates=rates, **given))
    print(f"{store} is changed.")


def remove(store: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")] = False) -> None:
    """Disconnect a store: it is no longer read, and what its pages send is refused. Its data stays in the topics.

    Example: hellotext-vtex stores remove acme --yes
    """
    if not yes and not typer.confirm(f"Disconnect {store}? Its hash secret is lost with it.", default=False):
        raise typer.Exit(1)
    settings = connected(quiet=True)
    execute(lambda: _remove(settings, store))
    print(f"{store} is disconnected.")


def state_of(row: StoreConnection, problems: Sequence[Problem]) -> str:
    """Return what a store's reading is at, in a word or two."""
    if row.paused:
        return "paused"
    return "needs attention" if problems else "following"


def told(row: StoreConnection, problems: Sequence[Problem]) -> dict[str, Any]:
    """Return a store's row without its secrets, with the state of its reading and its problems."""
    listed = [
        {"reader": each.reader, "reason": each.reason, "since": each.since.isoformat()}
        for each in problems if not row.paused
    ]  # fmt: skip
    return {**visible(row), "state": state_of(row, problems), "problems": listed}


def lines(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested values one a line, named by their path: `vtex.account`, `prices.1.channel`; unset ones as a dash."""
    for name, part in value.items():
        path = f"{prefix}{name}"
        if isinstance(part, list) and any(isinstance(each, dict) for each in part):
            part = {str(number): each for number, each in enumerate(part, 1)}  # noqa: PLW2901  one way down for both
        if isinstance(part, dict) and part:
            yield from lines(part, f"{path}.")
        else:
            yield path, _plain(part)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None or value == {} else str(value)


def visible(row: StoreConnection) -> dict[str, Any]:
    """Return a store's row without its secrets."""
    return _without_secrets(row.model_dump(mode="json"))


def _without_secrets(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_secrets(part) if isinstance(part, dict) else part
        for name, part in value.items()
        if name not in _SECRET
    }


def read_price(text: str) -> Price:
    """Return the price that `whatsapp:BR=0.21BRL` means."""
    where, _, amount = text.partition("=")
    channel, _, country = where.partition(":")
    number, currency = amount[:-3].strip(), amount[-3:].upper()
    try:
        return Price.model_validate({
            "channel": channel, "country": country or None, "price_micros": to_micros(number), "currency": currency,
        })  # fmt: skip
    except (ValueError, ArithmeticError):
        fail(f"{text!r} is no price: write CHANNEL[:COUNTRY]=PRICE CURRENCY, as whatsapp:BR=0.21BRL", 2)


def read_rate(text: str) -> Rate:
    """Return the rate that `EUR=6.10@2026-11-01` means."""
    currency, _, rest = text.partition("=")
    number, _, since = rest.partition("@")
    try:
        day = date.fromisoformat(since) if since else date.today()  # noqa: DTZ011  the operator's own day
        return Rate(currency=currency.upper(), rate=number, since=day)
    except ValueError:
        fail(f"{text!r} is no rate: write CURRENCY=RATE@DAY, as EUR=6.10@2026-11-01", 2)


async def _all(settings: Settings) -> tuple[tuple[StoreConnection, ...], dict[str, tuple[Problem, ...]]]:
    connection = await ensure_topics(settings)
    async with StoreDirectory(connection) as directory:
        return directory.all(), await problems_by_store(connection)


async def _one(settings: Settings, store: str) -> tuple[StoreConnection, tuple[Problem, ...]]:
    connection = await ensure_topics(settings)
    async with StoreDirectory(connection) as directory:
        row = _found(directory, store)
    return row, (await problems_by_store(connection)).get(store, ())


def _found(directory: StoreDirectory, store: str) -> StoreConnection:
    row = directory.get(store)
    if row is None:
        known = ", ".join(each.store for each in directory.all()) or "none yet"
        raise CommandError(f"there is no store {store!r} (connected: {known})")
    return row


async def _change(settings: Settings, store: str, *, more_rates: tuple[Rate, ...] = (), **changes: Any) -> None:
    connection = await ensure_topics(settings)
    async with StoreDirectory(connection) as directory:
        row = _found(directory, store)
    if more_rates:
        known = {(rate.currency, rate.since): rate for rate in (*row.rates, *more_rates)}
        changes["rates"] = tuple(sorted(known.values(), key=lambda rate: (rate.currency, rate.since)))
    fields = {**row.model_dump(), **changes}
    await write_row(connection, STORES, store, (), StoreConnection.model_validate(fields))


async def _remove(settings: Settings, store: str) -> None:
    connection = await ensure_topics(settings)
    async with StoreDirectory(connection) as directory:
        _found(directory, store)
    await remove_row(connection, STORES, store, ())
