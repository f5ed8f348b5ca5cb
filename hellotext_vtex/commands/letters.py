"""`dead-letters`: what could not be processed; look at it, and send it again."""

from base64 import b64decode
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.table import Table

from connectors.kafka.dead_letters import Letter, Redriven, list_letters, obstacle, redrive, remove, show
from hellotext_vtex.foreground import CommandError, execute, fail, print_json
from hellotext_vtex.known_stores import expect_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import terminal
from schemas.fates import DeadLetter

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UNKNOWN: Final = "unknown"
StoreOption = Annotated[str | None, typer.Option("--store", help="Of this store only.")]
StepOption = Annotated[str | None, typer.Option("--step", help="Given up by this step only.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What could not be processed, kept with its original bytes.", no_args_is_help=True)
    for command, name in ((list_all, "list"), (show_one, "show"), (send_again, "redrive"), (put_away, "remove")):
        group.command(name)(command)
    app.add_typer(group, name="dead-letters", rich_help_panel="Operations")


def list_all(store: StoreOption = None, step: StepOption = None, json: Json = False) -> None:
    """List the dead letters that wait.

    Example: hellotext-vtex dead-letters list --store acme
    """
    settings = connected(quiet=True)
    letters = execute(lambda: _list(settings, store, step))
    if json:
        print_json([asdict(letter) for letter in letters])
        return
    if not letters:
        print("No dead letters.")
        return
    table = Table("at", "store", "step", "reason", "letter", "can be redriven")
    for letter in letters:
        table.add_row(letter.at, letter.store, letter.step, letter.reason, letter.letter, letter.obstacle or "yes")
    terminal().print(table)


def show_one(
    letter: Annotated[str, typer.Argument(help="Its id, as `list` shows it.", show_default=False)],
    store: StoreOption = None,
    json: Json = False,
) -> None:
    """Show a dead letter with its original. It may hold personal values: mind who looks over your shoulder.

    Example: hellotext-vtex dead-letters show tracking/pixel.events/2/1234
    """
    settings = connected(quiet=True)
    row = execute(lambda: _show(settings, letter, store))
    why_not = obstacle(row)
    if json:
        print_json({**row.model_dump(mode="json"), "obstacle": why_not})
        return
    for name, value in row.model_dump(mode="json", exclude={"key", "value", "referred", "obstacle"}).items():
        if value is not None:
            print(f"{name:10} {value}")
    print(f"{'redrive':10} {f'no: {why_not}' if why_not else 'possible'}")
    for name, value in (("key", row.key), ("value", row.value)):
        if value is not None:
            print(f"{name:10} {b64decode(value).decode('utf-8', 'replace')}")


def send_again(
    letter: Annotated[list[str] | None, typer.Argument(help="Ids; all that match by default.")] = None,
    store: StoreOption = None,
    step: StepOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent again.")] = False,
    json: Json = False,
) -> None:
    """Put originals back into their topics, and remove their letters; each once, however often it is asked.

    Exit code 1: a letter that was named was not sent, or letters wait and none of them can be sent.

    Example: hellotext-vtex dead-letters redrive --store acme --step tracking --dry-run
    """
    settings = connected(quiet=True)
    wanted = set(letter or ())
    results = execute(lambda: _redrive(settings, wanted, store, step, dry_run=dry_run))
    if json:
        print_json([
            {"store": one.letter.store, "letter": one.letter.letter, "outcome": one.outcome, "reason": one.reason}
            for one in results
        ])  # fmt: skip
    else:
        for one in results:
            print(f"{one.outcome:10} {one.letter.store} {one.letter.letter} {one.reason or ''}".rstrip())
        if results or not wanted:
            print(f"{sum(one.outcome in {'redriven', 'possible'} for one in results)} of {len(results)} "
                  f"{'would be' if dry_run else 'are'} sent again.")  # fmt: skip
    missing = wanted - {one.letter.letter for one in results}
    if missing:
        fail(f"there is no letter {', '.join(sorted(missing))}: hellotext-vtex dead-letters list")
    stuck = sorted(one.letter.letter for one in results if one.outcome == "impossible")
    if stuck and (wanted or len(stuck) == len(results)):
        which = f"not sent again: {', '.join(stuck)}" if wanted else "none of the letters that wait can be sent again"
        fail(f"{which}; why stands beside each, and dead-letters remove puts away what nobody needs")


def put_away(
    letter: Annotated[list[str] | None, typer.Argument(help="Ids; all that match by default.")] = None,
    store: StoreOption = None,
    step: StepOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")] = False,
    json: Json = False,
) -> None:
    """Remove letters without sending their originals again: those that nobody can or need redrive.

    Example: hellotext-vtex dead-letters remove forward/0197e3c0-1111-7abc-8def-000000000001 --yes
    """
    settings = connected(quiet=True)
    letters = execute(lambda: _matching(settings, set(letter or ()), store, step))
    missing = set(letter or ()) - {one.letter for one in letters}
    if missing:
        fail(f"there is no letter {', '.join(sorted(missing))}: hellotext-vtex dead-letters list")
    if letters and not yes and not typer.confirm(f"Remove {len(letters)} for ever?", default=False, err=True):
        raise typer.Exit(1)
    execute(lambda: _remove(settings, letters))
    if json:
        print_json([{"store": one.store, "letter": one.letter} for one in letters])
    else:
        print(f"{len(letters)} removed.")


async def _remove(settings: Settings, letters: list[Letter]) -> int:
    return await remove(settings.connection(), letters) if letters else 0


async def _matching(settings: Settings, wanted: set[str], store: str | None, step: str | None) -> list[Letter]:
    connection = await ensure_topics(settings)
    letters = [one for one in await list_letters(connection, store, step) if not wanted or one.letter in wanted]
    await expect_store(connection, _named(store), found=bool(letters))
    return letters


async def _list(settings: Settings, store: str | None, step: str | None) -> list[Letter]:
    connection = await ensure_topics(settings)
    letters = await list_letters(connection, store, step)
    await expect_store(connection, _named(store), found=bool(letters))
    return letters


async def _show(settings: Settings, letter: str, store: str | None) -> DeadLetter:
    connection = await ensure_topics(settings)
    row = await show(connection, letter, store)
    await expect_store(connection, _named(store), found=row is not None)
    if row is None:
        raise CommandError(f"there is no letter {letter!r} (any more): hellotext-vtex dead-letters list")
    return row


async def _redrive(
    settings: Settings, wanted: set[str], store: str | None, step: str | None, *, dry_run: bool
) -> list[Redriven]:
    letters = await _matching(settings, wanted, store, step)
    return await redrive(settings.connection(), letters, dry_run=dry_run)


def _named(store: str | None) -> str | None:
    """Return the store to be looked for: letters of nobody's are filed under `unknown`."""
    return None if store == UNKNOWN else store
