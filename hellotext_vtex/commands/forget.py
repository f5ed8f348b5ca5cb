"""`forget` erases a person everywhere and keeps them out; `--check` looks what is left (docs/privacy.md)."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from connectors.privacy.finding import find
from connectors.privacy.forgetting import Forgotten, forget, lift
from connectors.privacy.places import KEPT
from connectors.privacy.reading import Shard, shard_of_store
from connectors.privacy.remains import Remain, Remains, look
from connectors.privacy.spool import clear
from connectors.privacy.traces import NotAnIdentifier, Traces
from hellotext_vtex.foreground import execute, fail, print_json
from hellotext_vtex.keys import open_box
from hellotext_vtex.known_stores import find_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import terminal

Identifiers = dict[str, list[str]]
_SAID: Final = {
    "erased": "erased by the worker",
    "destinations": "goes when the destinations have erased",
    "kept": "stays until about {}: {}, no value",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("forget", rich_help_panel="Operations")(forget_person)


def forget_person(
    store: Annotated[str, typer.Option(help="Name of the store.", show_default=False)],
    email: Annotated[list[str] | None, typer.Option(help="Of the person; `-` asks for it. Repeatable.")] = None,
    phone: Annotated[list[str] | None, typer.Option(help="Likewise, with or without country prefix.")] = None,
    customer: Annotated[list[str] | None, typer.Option(help="Id of the customer in VTEX (CL).")] = None,
    session: Annotated[list[str] | None, typer.Option(help="A browser session (cookie hello_session).")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only look what is left; changes nothing.")] = False,
    lift_again: Annotated[bool, typer.Option("--lift", help="Take the person off the list: they came back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for worker and destinations.", min=1)] = 300.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; does not ask, so it needs --yes.")] = False,
) -> None:
    """Erase a person from topics, tables, dead letters, spool and destinations, and let nothing bring them back.

    Found by any identifier; what was found is shown by place, never a value. Exit code 0: nothing stands any more that
    can be erased; with --check only when compaction has removed the last copy too. Figures stay: they tell of nobody.

    Example: hellotext-vtex forget --store acme --email -
    """
    given = {"emails": email, "phones": phone, "customers": customer, "sessions": session}
    wanted = {name: _asked(name, texts) for name, texts in given.items() if texts}
    if not wanted:
        fail("name the person: --email, --phone, --customer or --session", 2)
    if check and lift_again:
        fail("give either --check or --lift", 2)
    if json and not (yes or check):
        fail("--json asks nothing: confirm with --yes, or look with --check", 2)
    settings = connected(quiet=True)
    command = _Command(settings, store, wanted, quiet=json)
    if lift_again:
        _lift(command, timeout, as_json=json)
    elif check:
        _check(command, as_json=json)
    else:
        _forget(command, timeout, ask=not yes, as_json=json)


def _asked(name: str, texts: list[str]) -> list[str]:
    """Return what was given; `-` is asked for, so that it stands in no list of processes and no shell's history."""
    return [_typed(name.removesuffix("s")) if text == "-" else text for text in texts]


def _typed(what: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True, err=True))
    return sys.stdin.readline().strip()


class _Command:
    """What all three share: the store, the person, and where progress is told."""

    def __init__(self, settings: Settings, store: str, wanted: Identifiers, *, quiet: bool) -> None:
        self.settings = settings
        self.quiet = quiet
        self._store = store
        self._wanted = wanted

    async def open(self) -> tuple[Shard, Traces]:
        """Return where the store stands, and what was asked for."""
        connection = await ensure_topics(self.settings)
        row = await find_store(connection, self._store)
        traces = Traces(row.store, open_box(self.settings).unseal(row.hash_secret).encode(), row.country)
        try:
            traces.ask(**self._wanted)
        except NotAnIdentifier as error:
            fail(str(error), 2)
        return await shard_of_store(connection, row.store), traces

    async def find(self) -> tuple[Shard, Traces, Remains]:
        """Return who it is, and what stands of them."""
        shard, traces = await self.open()
        self.tell("looking for the person")
        await find(shard, traces)
        return shard, traces, await look(shard, traces)

    def tell(self, line: str) -> None:
        """Say what is going on."""
        if not self.quiet:
            typer.echo(line, err=True)

    @property
    def spool(self) -> Path:
        """Where collectors of this machine keep what Kafka has not."""
        return self.settings.state_folder / "spool"


def _check(command: _Command, *, as_json: bool) -> None:
    shard, traces, remains = execute(command.find)
    waiting = execute(lambda: clear(command.spool, shard.store, traces.searcher(), patience_s=0.0, change=False))
    if as_json:
        print_json(_document(traces, remains, waiting=waiting))
    else:
        _show(remains)
        print(_verdict(remains, waiting))
    if waiting or not remains.complete:
        raise typer.Exit(1)


def _forget(command: _Command, timeout: float, *, ask: bool, as_json: bool) -> None:
    shard, traces, remains = execute(command.find)
    if ask:
        _show(remains)
        print(_people(traces))
        if not typer.confirm("Erase all of it? This cannot be undone.", err=True):
            raise typer.Exit(1)

    async def work() -> tuple[Forgotten, int]:
        done = await forget(shard, traces, remains, seconds=timeout, tell=command.tell)
        return done, await clear(command.spool, shard.store, traces.searcher())

    done, waiting = execute(work)
    if as_json:
        print_json(_document(traces, done.remains, waiting=waiting, rounds=done.rounds, waited=done.waited))
    else:
        _show(done.remains)
        print(_verdict(done.remains, waiting))
        if done.waited:
            print(done.waited)
    if waiting or done.waited or not done.remains.erased:
        raise typer.Exit(1)


def _lift(command: _Command, timeout: float, *, as_json: bool) -> None:
    async def work() -> bool:
        shard, traces = await command.open()
        return await lift(shard, traces, seconds=timeout, tell=command.tell)

    done = execute(work)
    if as_json:
        print_json({"lifted": done})
    elif done:
        print("lifted: what is read or told of the person from now on counts again.")
    if not done:
        fail("no worker has taken the request yet; it is done as soon as one runs")


def _people(traces: Traces) -> str:
    return (
        f"Found: customers {len(traces.customers)}, browser sessions {len(traces.sessions)}, "
        f"orders {len(traces.orders)} (they stay, without their buyer)."
    )


def _show(remains: Remains) -> None:
    standing = [one for one in remains.places if one.standing]
    if not remains.places:
        print("Nothing of this person stands anywhere.")
    if standing:
        table = Table("place", "standing", "what becomes of it")
        for one in standing:
            table.add_row(f"table {one.place}" if one.table else one.place, f"{one.standing:,}", _said(one))
        terminal().print(table)
    copies = [one for one in remains.places if one.copies]
    if copies:
        print(
            f"{sum(one.copies for one in copies):,} replaced copies in {len(copies)} places leave with compaction, "
            f"about {_moment(max(one.until or 0 for one in copies))}."
        )


def _said(one: Remain) -> str:
    until = "" if one.until is None else _moment(one.until)
    return _SAID[one.fate].format(until, KEPT.get(one.place, ""))


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _verdict(remains: Remains, waiting: int) -> str:
    lines: list[str] = []
    for letter, reason in remains.refusals:
        lines.append(f"refused: {reason} (dead letter {letter}): erase it there by hand, then redrive the letter")
    if waiting:
        lines.append(f"{waiting} records wait in the collector's spool: start the collector, or wait for it")
    if remains.complete and not waiting:
        lines.append("complete: nothing is left but what is listed as kept")
    elif remains.erased and not waiting:
        lines.append("erased: copies that nobody reads any more leave with compaction; --check says when they have")
    else:
        lines.append("NOT erased")
    return "\n".join(lines)


def _document(traces: Traces, remains: Remains, *, waiting: int, **more: Any) -> dict[str, Any]:
    return {
        "erased": remains.erased and not waiting,
        "complete": remains.complete and not waiting,
        "customers": len(traces.customers),
        "sessions": len(traces.sessions),
        "orders": len(traces.orders),
        "places": [_row(one) for one in remains.places],
        "refusals": [{"letter": letter, "reason": reason} for letter, reason in remains.refusals],
        "spool": waiting,
        **more,
    }


def _row(one: Remain) -> dict[str, Any]:
    until = None if one.until is None else datetime.fromtimestamp(one.until / 1000, UTC).isoformat()
    return {
        "place": one.place, "table": one.table, "fate": one.fate, "standing": one.standing, "copies": one.copies,
        "until": until,
    }  # fmt: skip
