# ruff: noqa: PLC0415  the help must come at once: the agents are loaded when they are run
"""`replay` counts everything that is kept anew, beside the live figures, and compares them (docs/replay.md)."""

import asyncio
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import structlog
import typer
from rich.table import Table

from connectors.kafka.connection import KafkaConnection
from hellotext_vtex.foreground import CommandError, execute, fail, print_json
from hellotext_vtex.keys import open_box
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.replaying import Comparison, as_json, compare_with, standing
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import terminal

if TYPE_CHECKING:
    from streams.replay import ReplayConnection

log = structlog.get_logger(__name__)

_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
LOOKS: Final = 3
LOOK_S: Final = 1.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("replay", rich_help_panel="Operations")(replay)


def replay(
    into: Annotated[
        str | None, typer.Option(help="Prefix to replay into, and to keep; by default one that is dropped at the end.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Only compare what stands under --into.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Only delete what stands under --into.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Count everything that is kept anew, by today's rules, and compare; exit code 1 when a live figure differs.

    Nothing live is touched, and nobody is called: tracking, attribution and KPIs run into topics and tables under
    another prefix. With --into these stay, for a look: TOPIC_PREFIX=PREFIX hellotext-vtex kpis show.

    Example: hellotext-vtex replay --json
    """
    if (compare or drop) and into is None:
        fail("say which replay: --into PREFIX", 2)
    if compare and drop:
        fail("give either --compare or --drop", 2)
    settings = connected(quiet=True)
    if into is not None:
        _refuse_odd(settings, into, only_look=compare or drop)
    if drop and into is not None:
        gone = execute(lambda: _drop(settings, into))
        if json:
            print_json({"prefix": into, "deleted": gone})
        else:
            print(f"{gone} topics under {into} are deleted.")
        return
    prefix = into or _temporary(settings)
    work = _compare(settings, prefix) if compare else _replay(settings, prefix, keep=into is not None, quiet=json)
    found = execute(lambda: work)
    if json:
        print_json({"prefix": prefix, **as_json(found)})
    else:
        _show(found)
    if not found.equal:
        raise typer.Exit(1)


def _refuse_odd(settings: Settings, into: str, *, only_look: bool) -> None:
    from streams.replay_life import is_temporary

    if into in {"", settings.topic_prefix}:
        fail("--into must be another prefix than the live one", 2)
    if not _PREFIX.match(into):
        fail("--into is no prefix: letters, digits, `.`, `_` and `-`, at most 100", 2)
    if not only_look and is_temporary(settings.connection(), into):
        fail(f"--into {into} is the name of a replay that keeps nothing: the next one would delete it", 2)


def _temporary(settings: Settings) -> str:
    from streams.replay_life import temporary

    return temporary(settings.connection())


async def _drop(settings: Settings, prefix: str) -> int:
    from streams.replay import topics_under
    from streams.replay_life import SESSION_S, lives

    live = settings.connection()
    if await topics_under(live, prefix) and await lives(live, prefix):
        raise CommandError(
            f"somebody replays into {prefix}: end that first (Ctrl-C). One that was killed counts as running for "
            f"{SESSION_S} s: try again then"
        )
    return await _remove(settings, live, prefix)


async def _remove(settings: Settings, live: KafkaConnection, prefix: str) -> int:
    """Delete what a replay has left, at the broker and on this machine; return how many topics that were."""
    from streams.replay import drop

    for folder in _tables(settings).glob(f"{prefix}{'?' * 8}"):
        shutil.rmtree(folder, ignore_errors=True)
    return await drop(live, prefix)


def _tables(settings: Settings) -> Path:
    return settings.state_folder / "replay"


async def _clear_away(settings: Settings, live: KafkaConnection) -> None:
    """Delete what replays have left that were to keep nothing, and were killed."""
    from streams.replay_life import left_behind

    for prefix in await left_behind(live):
        count = await _remove(settings, live, prefix)
        log.warning("what a replay that was killed has left is deleted", prefix=prefix, topics=count)


async def _compare(settings: Settings, prefix: str) -> Comparison:
    from streams.replay import topics_under

    live = await ensure_topics(settings)
    if not await topics_under(live, prefix):
        raise CommandError(f"nothing stands under {prefix}: `hellotext-vtex replay --into {prefix}` counts it first")
    return await compare_with(live, settings.model_copy(update={"topic_prefix": prefix}).connection())


async def _replay(settings: Settings, prefix: str, *, keep: bool, quiet: bool) -> Comparison:
    from streams.replay import PrefixTaken, connection_into, prepare
    from streams.replay_life import alive

    live = await ensure_topics(settings)
    connection = connection_into(live, prefix)
    async with alive(live, prefix):
        await _clear_away(settings, live)
        try:
            await prepare(live, connection)
        except PrefixTaken as error:
            raise CommandError(
                f"{error}: give another --into, or delete it with `hellotext-vtex replay --into {prefix} --drop`"
            ) from None
        return await _counted(settings, connection, live, keep=keep, quiet=quiet)


async def _counted(
    settings: Settings, connection: "ReplayConnection", live: KafkaConnection, *, keep: bool, quiet: bool
) -> Comparison:
    from streams.replay import drop, replaying

    folder = _tables(settings) / f"{connection.into}{connection.run}"
    engine = settings.model_copy(update={"worker_web_port": None}).worker("replay")
    tell = _Told(quiet=quiet)
    try:
        async with replaying(connection, open_box(settings), _in(engine, folder), tell):
            looks = [await compare_with(live, connection)]
            while looks[-1].differences and len(looks) < LOOKS:
                await asyncio.sleep(LOOK_S)
                looks.append(await compare_with(live, connection))
        return standing(looks)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not keep:
            await drop(live, connection.into)


def _in(engine: Any, folder: Any) -> Any:
    from dataclasses import replace

    return replace(engine, state_folder=folder, standby_replicas=0)


class _Told:
    """Tells how far it is, now and then, on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Hear how many records are consumed, and of how many."""
        if not self._quiet and (time.monotonic() >= self._next or done == total):
            self._next = time.monotonic() + 5
            typer.echo(f"replaying: {done:,} of {total:,} offsets", err=True)


def _show(found: Comparison) -> None:
    if found.differences:
        table = Table("cell", "figure", "live", "replay")
        for one in found.differences:
            table.add_row("/".join(one.cell), one.figure, str(one.ours), str(one.ledger))
        terminal().print(table)
    print(
        f"{found.compared} cells compared, {len(found.differences)} figures differ"
        + (f"; {found.left_out} cells are older than the events that are kept" if found.left_out else "")
        + "."
    )
    if found.differences and found.forgotten:
        print("People were forgotten: what they did counts in the live figures, and is not replayed.")
