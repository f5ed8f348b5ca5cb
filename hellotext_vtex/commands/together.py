# ruff: noqa: PLC0415  the help must come at once: what runs everything is loaded when it is asked for
"""`up` runs every process in one terminal; `demo` does that with the sandbox, and plays a shop day."""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hellotext_vtex.foreground import Stop, print_json, serve, tell_ready
from hellotext_vtex.started import started
from hellotext_vtex.state_folder import make_private

DEMO_STATE = Path(".state") / "demo"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, demo):
        app.command(rich_help_panel="Everything")(command)


def up(
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1, max=64)] = 1,
    collectors: Annotated[int, typer.Option(help="Collector processes on one port.", min=1, max=64)] = 1,
    sandbox: Annotated[bool, typer.Option(help="Run the stand-ins too.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="The embedded broker's data; STATE_FOLDER/kafka by default.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the line that says it is ready as JSON.")] = False,
) -> None:
    """Run everything in this terminal until Ctrl-C: broker (unless one is given), poller, collector, workers, console.

    Example: hellotext-vtex up --workers 2
    """
    from hellotext_vtex.up import Wish, everything

    settings = started()
    wish = Wish(workers, collectors, sandbox=sandbox, data=data or settings.state_folder / "kafka")

    async def main(stop: Stop) -> None:
        async with everything(settings, wish, tell=_line, echo=_log) as house:
            stop.heed()
            broker = house.connection.bootstrap_servers
            if json:
                tell_ready("up", as_json=True, broker=broker, **house.urls)
            else:
                told = [
                    f"{name} {house.urls[name]}" for name in ("console", "collector", "sandbox") if name in house.urls
                ]
                print(f"everything is ready: {', '.join([*told, f'broker {broker}'])}", flush=True)
            await stop.wait()

    serve(main)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the comparison; exit 0 only if all agrees.")] = False,
    seed: Annotated[int, typer.Option(help="Of the shop's day.")] = 7,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1, max=8)] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
) -> None:
    """Show the main job: play a shop day through real interfaces, and compare every figure with the sandbox's ledger.

    Example: hellotext-vtex demo --once
    """
    from hellotext_vtex.demo import Demo
    from hellotext_vtex.demo_broker import for_demo, remove_topics
    from hellotext_vtex.keys import open_box
    from hellotext_vtex.report import report, report_json
    from hellotext_vtex.tables import terminal
    from hellotext_vtex.up import Wish, everything

    settings, broker, own_topics = for_demo(started(state_folder=DEMO_STATE, log_level="warning", console_locale="en"))
    shutil.rmtree(DEMO_STATE, ignore_errors=True)
    _line(broker)

    async def main(stop: Stop) -> int:
        make_private(DEMO_STATE.parent)
        try:
            return await play(stop)
        finally:
            if own_topics:
                await remove_topics(settings)

    async def play(stop: Stop) -> int:
        with _bar() as show:
            tell = lambda line: show(line, 0, 0)  # noqa: E731  a line has no measure
            wish = Wish(workers, sandbox=True, free=True)
            async with everything(settings, wish, tell=tell, echo=_nothing) as house:
                stop.heed()
                day = asyncio.create_task(Demo(house, open_box(settings), show).play(seed))
                asked = asyncio.create_task(stop.wait())
                await asyncio.wait({day, asked}, return_when=asyncio.FIRST_COMPLETED)
                if not day.done():
                    day.cancel()
                    return 130
                verdict = day.result()
                show.stop()
                if json:
                    print_json(report_json(verdict, house))
                else:
                    report(verdict, house, terminal(markup=True))
                if not once:
                    _line("It stays up until Ctrl-C.")
                    await stop.wait()
                asked.cancel()
                return int(not verdict.equal)

    serve(main, given_up=130)


class _Shown:
    """A live line with a bar, on standard error."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)
        self._phase = ""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show how far it is."""
        if phase != self._phase and not self._progress.console.is_terminal:
            self._progress.console.print(phase)
        self._phase = phase
        self._progress.update(self._task, description=phase, completed=done, total=total or None)

    def stop(self) -> None:
        """End the display: a table follows."""
        self._progress.stop()


@contextlib.contextmanager
def _bar() -> Iterator[_Shown]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
               TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _Shown(progress)


def _line(text: str) -> None:
    typer.echo(text, err=True)


def _log(name: str, line: str) -> None:
    typer.echo(f"{name:12} {line}", err=True)


def _nothing(name: str, line: str) -> None:
    """The demo's logs are in files: its terminal is for the picture."""
