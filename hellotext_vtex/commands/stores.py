"""`stores`: who is connected, and what can be chosen for each of them."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.table import Table

from connectors.console.rows import remove_row, write_row
from connectors.kafka.stores import StoreDirectory
from hellotext_vtex.commands.progress import show_progress
from hellotext_vtex.commands.renew import renew
from hellotext_vtex.condition import Condition, conditions_of, matters, state_of, told, visible
from hellotext_vtex.foreground import execute, fail, print_json
from hellotext_vtex.known_stores import find_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.store_values import read_entity, read_fields, read_origins, read_price, read_rate
from hellotext_vtex.tables import terminal
from schemas.stores import Rate, StoreConnection
from schemas.topics import STORES

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Done = Annotated[bool, typer.Option("--json", help="Print the store's settings as JSON.")]
Name = Annotated[str, typer.Argument(help="Name of the store.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Connected stores.", no_args_is_help=True)
    for command, name in ((list_stores, "list"), (show, "show"), (pause, "pause"), (resume, "resume"),
                          (show_progress, "progress"), (choose, "set"), (renew, "renew"),
                          (remove, "remove")):  # fmt: skip
        group.command(name)(command)
    app.add_typer(group, name="stores", rich_help_panel="Stores")


def list_stores(json: Json = False) -> None:
    """List the connected stores, and what is wrong with them.

    Example: hellotext-vtex stores list --json
    """
    settings = connected(quiet=True)
    rows, conditions = execute(lambda: _all(settings))
    if json:
        print_json([told(row, conditions[row.store]) for row in rows])
        return
    if not rows:
        print("No store is connected: hellotext-vtex connect")
        return
    table = Table("store", "VTEX account", "Hellotext business", "Infobip", "country", "currency", "time zone", "state")
    for row in rows:
        condition = conditions[row.store]
        table.add_row(
            row.store, row.vtex.account, row.hellotext.business_id, "yes" if row.infobip else "no", row.country,
            row.currency, row.timezone, state_of(row, condition),
        )  # fmt: skip
    terminal().print(table)
    for row in rows:
        for line in matters(row, conditions[row.store]):
            print(line)


def show(store: Name, json: Json = False) -> None:
    """Show a store's settings, without its secrets, and what is wrong with reading it or with its destinations.

    Example: hellotext-vtex stores show acme
    """
    settings = connected(quiet=True)
    row = told(*execute(lambda: _one(settings, store)))
    if json:
        print_json(row)
        return
    for name, text in lines(row):
        print(f"{name:26} {text}")


def pause(store: Name, json: Done = False) -> None:
    """Stop reading a store from VTEX; what pages and vendors send is still taken.

    Example: hellotext-vtex stores pause acme
    """
    settings = connected(quiet=True)
    row = execute(lambda: _change(settings, store, paused=True))
    _say(row, f"{store} is paused.", as_json=json)


def resume(store: Name, json: Done = False) -> None:
    """Go on reading a store where it was paused.

    Example: hellotext-vtex stores resume acme
    """
    settings = connected(quiet=True)
    row = execute(lambda: _change(settings, store, paused=False))
    _say(row, f"{store} is followed again.", as_json=json)


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
    vtex_field: Annotated[
        list[str] | None, typer.Option(help="Further field of CL to read, as custom.NAME (replaces all).")
    ] = None,
    opt_in_field: Annotated[str | None, typer.Option(help="Field that tells the opt-in.")] = None,
    opt_in_entity: Annotated[
        str | None, typer.Option(help="Data entity of that field, joined by e-mail; CL is where it stands by default.")
    ] = None,
    opt_in_email: Annotated[
        str | None, typer.Option(help="Field of that entity that holds the e-mail; email by default.")
    ] = None,
    null_erases: Annotated[
        list[str] | None, typer.Option(help="Field whose null in VTEX means that the value is gone (replaces all).")
    ] = None,
    calls_per_minute: Annotated[int | None, typer.Option(help="What the VTEX account allows.", min=1)] = None,
    json: Done = False,
) -> None:
    """Choose a store's settings.

    Fields chosen with --vtex-field or --opt-in-field are read of every customer, which takes a first reading again.

    Example: hellotext-vtex stores set acme --price whatsapp=0.21BRL --rate EUR=6.10@2026-11-01
    """
    changes: dict[str, Any] = {
        "origins": read_origins(origin) if origin is not None else None, "privacy": privacy,
        "click_window_hours": click_window, "delivery_window_hours": delivery_window,
        "prices": tuple(read_price(text) for text in price) if price is not None else None,
    }  # fmt: skip
    rates = tuple(read_rate(text) for text in rate or ())
    reading: dict[str, Any] = {
        "custom_fields": read_fields(vtex_field) if vtex_field is not None else None,
        "opt_in_field": read_fields([opt_in_field])[0] if opt_in_field is not None else None,
        "opt_in_entity": read_entity(opt_in_entity) if opt_in_entity is not None else None,
        "opt_in_email": read_fields([opt_in_email])[0] if opt_in_email is not None else None,
        "nulls_erase": tuple(null_erases) if null_erases is not None else None, "calls_per_minute": calls_per_minute,
    }  # fmt: skip
    given = {name: value for name, value in changes.items() if value is not None}
    vtex = {name: value for name, value in reading.items() if value is not None}
    if vtex.get("opt_in_entity") == "CL":
        vtex["opt_in_entity"] = None
    if not given and not rates and not vtex:
        fail("nothing to set: give at least one option", 2)
    settings = connected(quiet=True)
    row = execute(lambda: _change(settings, store, more_rates=rates, vtex=vtex, **given))
    _say(row, f"{store} is changed.", as_json=json)


def remove(
    store: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Disconnect a store: it is no longer read, and what its pages send is refused. Its data stays in the topics.

    Example: hellotext-vtex stores remove acme --yes
    """
    settings = connected(quiet=True)
    execute(lambda: _one(settings, store))
    if not yes and not typer.confirm(f"Disconnect {store}? Its hash secret is lost with it.", default=False, err=True):
        raise typer.Exit(1)
    execute(lambda: _remove(settings, store))
    if json:
        print_json({"store": store, "removed": True})
    else:
        print(f"{store} is disconnected.")


def _say(row: StoreConnection, line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(visible(row))
    else:
        print(line)


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


async def _all(settings: Settings) -> tuple[tuple[StoreConnection, ...], dict[str, Condition]]:
    connection = await ensure_topics(settings)
    async with StoreDirectory(connection) as directory:
        rows = directory.all()
    return rows, await conditions_of(connection, rows)


async def _one(settings: Settings, store: str) -> tuple[StoreConnection, Condition]:
    connection = await ensure_topics(settings)
    row = await find_store(connection, store)
    return row, (await conditions_of(connection, [row]))[store]


async def _change(
    settings: Settings, store: str, *, more_rates: tuple[Rate, ...] = (), vtex: dict[str, Any] | None = None,
    **changes: Any,
) -> StoreConnection:  # fmt: skip
    connection = await ensure_topics(settings)
    row = await find_store(connection, store)
    if vtex:
        changes["vtex"] = {**row.vtex.model_dump(), **vtex}
    if more_rates:
        known = {(rate.currency, rate.since): rate for rate in (*row.rates, *more_rates)}
        changes["rates"] = tuple(sorted(known.values(), key=lambda rate: (rate.currency, rate.since)))
    changed = StoreConnection.model_validate({**row.model_dump(), **changes})
    await write_row(connection, STORES, store, (), changed)
    return changed


async def _remove(settings: Settings, store: str) -> None:
    await remove_row(await ensure_topics(settings), STORES, store, ())
