"""`stores`: who is connected, and what can be chosen for each of them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from connectors.console.rows import remove_row, write_row
from connectors.kafka.stores import StoreDirectory
from hellotext_vtex.commands.progress import show_progress
from hellotext_vtex.commands.renew import renew
from hellotext_vtex.condition import Condition, conditions_of, matters, state_of, told, visible
from hellotext_vtex.foreground import CommandError, execute, fail, print_json
from hellotext_vtex.known_stores import find_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.store_values import (
    read_entity,
    read_fields,
    read_language,
    read_mapping,
    read_origins,
    read_price,
    read_rate,
    read_sms_sender,
    read_vendor,
    read_whatsapp_sender,
)
from hellotext_vtex.tables import terminal
from schemas.stores import Rate, StoreConnection
from schemas.topics import STORES

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Done = Annotated[bool, typer.Option("--json", help="Print the store's settings as JSON.")]
Name = Annotated[str, typer.Argument(help="Name of the store.", show_default=False)]
_READING = "Reading VTEX"
_REACHING = "Hellotext and Infobip"


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
    """Stop reading a store from VTEX and telling its destinations of customers; what pages and vendors send is taken.

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
        list[str] | None,
        typer.Option(help="Further field of CL to read, as custom.NAME (replaces all).", rich_help_panel=_READING),
    ] = None,
    opt_in_field: Annotated[
        str | None, typer.Option(help="Field that tells the opt-in.", rich_help_panel=_READING)
    ] = None,
    opt_in_entity: Annotated[
        str | None,
        typer.Option(
            help="Data entity of that field, joined by e-mail; CL is where it stands by default.",
            rich_help_panel=_READING,
        ),
    ] = None,
    opt_in_email: Annotated[
        str | None,
        typer.Option(help="Field of that entity that holds the e-mail; email by default.", rich_help_panel=_READING),
    ] = None,
    null_erases: Annotated[
        list[str] | None,
        typer.Option(
            help="Field whose null in VTEX means that the value is gone (replaces all).", rich_help_panel=_READING
        ),
    ] = None,
    calls_per_minute: Annotated[
        int | None, typer.Option(help="What the VTEX account allows.", rich_help_panel=_READING, min=1)
    ] = None,
    forward: Annotated[
        bool | None, typer.Option(help="Pass tracking events on to Hellotext.", rich_help_panel=_REACHING)
    ] = None,
    erase_deleted: Annotated[
        bool | None, typer.Option(help="Erase there who was deleted in VTEX.", rich_help_panel=_REACHING)
    ] = None,
    messages_by: Annotated[
        str | None, typer.Option(help="Who sends messages: hellotext, infobip or auto.", rich_help_panel=_REACHING)
    ] = None,
    whatsapp_sender: Annotated[
        str | None,
        typer.Option(help="WhatsApp number registered at Infobip; empty: none.", rich_help_panel=_REACHING),
    ] = None,
    sms_sender: Annotated[
        str | None,
        typer.Option(help="Who an SMS by Infobip is from; empty: the account's default.", rich_help_panel=_REACHING),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of WhatsApp templates, as pt_BR.", rich_help_panel=_REACHING)
    ] = None,
    hellotext_property: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=ID of a property at Hellotext (replaces all).", rich_help_panel=_REACHING),
    ] = None,
    infobip_attribute: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=NAME of an attribute at Infobip (replaces all).", rich_help_panel=_REACHING),
    ] = None,
    json: Done = False,
) -> None:
    """Choose a store's settings.

    Fields chosen with --vtex-field or --opt-in-field are read of every customer, which takes a first reading again.

    Example: hellotext-vtex stores set acme --price whatsapp=0.21BRL --rate EUR=6.10@2026-11-01

    Example: hellotext-vtex stores set acme --whatsapp-sender +5511987654321 --hellotext-property document=PROPERTY-ID
    """
    given = _chosen(
        origins=(origin, read_origins), privacy=(privacy, str), click_window_hours=(click_window, int),
        delivery_window_hours=(delivery_window, int), prices=(price, lambda texts: tuple(map(read_price, texts))),
        forward=(forward, bool), erase_deleted=(erase_deleted, bool), messages_by=(messages_by, read_vendor),
    )  # fmt: skip
    rates = tuple(read_rate(text) for text in rate or ())
    vtex = _chosen(
        custom_fields=(vtex_field, read_fields), opt_in_field=(opt_in_field, lambda name: read_fields([name])[0]),
        opt_in_entity=(opt_in_entity, read_entity), opt_in_email=(opt_in_email, lambda name: read_fields([name])[0]),
        nulls_erase=(null_erases, tuple), calls_per_minute=(calls_per_minute, int),
    )  # fmt: skip
    if vtex.get("opt_in_entity") == "CL":
        vtex["opt_in_entity"] = None
    hellotext = _chosen(properties=(hellotext_property, lambda texts: read_mapping(texts, "--hellotext-property")))
    infobip = _chosen(
        whatsapp_sender=(whatsapp_sender, read_whatsapp_sender), sms_sender=(sms_sender, read_sms_sender),
        language=(language, read_language),
        attributes=(infobip_attribute, lambda texts: read_mapping(texts, "--infobip-attribute")),
    )  # fmt: skip
    parts = {"vtex": vtex, "hellotext": hellotext, "infobip": infobip}
    if not given and not rates and not any(parts.values()):
        fail("nothing to set: give at least one option", 2)
    settings = connected(quiet=True)
    row = execute(lambda: _change(settings, store, more_rates=rates, parts=parts, **given))
    _say(row, f"{store} is changed.", as_json=json)


def _chosen(**typed: tuple[Any, Callable[[Any], Any]]) -> dict[str, Any]:
    """Return what was typed, read; what is read as None is a choice too."""
    return {name: read(value) for name, (value, read) in typed.items() if value is not None}


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
    settings: Settings, store: str, *, more_rates: tuple[Rate, ...] = (),
    parts: Mapping[str, dict[str, Any]] | None = None, **changes: Any,
) -> StoreConnection:  # fmt: skip
    connection = await ensure_topics(settings)
    row = await find_store(connection, store)
    for name, chosen in (parts or {}).items():
        access = getattr(row, name)
        if chosen and access is None:
            raise CommandError(
                f"{store} has no {name.capitalize()}: connect it first, with connect --{name}-url and its key"
            )
        if chosen:
            changes[name] = {**access.model_dump(), **chosen}
    if more_rates:
        known = {(rate.currency, rate.since): rate for rate in (*row.rates, *more_rates)}
        changes["rates"] = tuple(sorted(known.values(), key=lambda rate: (rate.currency, rate.since)))
    changed = StoreConnection.model_validate({**row.model_dump(), **changes})
    await write_row(connection, STORES, store, (), changed)
    return changed


async def _remove(settings: Settings, store: str) -> None:
    await remove_row(await ensure_topics(settings), STORES, store, ())
