"""How every command begins and ends: errors for people or for scripts, and a reader that has had enough (`| head`).

With `--json` the last line on standard error is one object, `{"error": {"message": ..., "exit_code": ...}}`, whenever
a command could not do what it was asked, wrong usage included; standard output holds only whole results.
"""

import os
import select
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import typer
from typer.core import TyperGroup

from hellotext_vtex.foreground import FAILED, errors_as_json, fail, tell_error

JSON: Final = "--json"


class FrontDoor(TyperGroup):
    """The command line as a whole."""

    def main(self, args: Sequence[str] | None = None, *names: Any, **options: Any) -> Any:
        """Run a command; with `--json` among its arguments, its errors are JSON too."""
        given = list(sys.argv[1:] if args is None else args)
        if JSON not in given:
            return super().main(given, *names, **options)
        with errors_as_json():
            code = self._quietly(given, *names, **{**options, "standalone_mode": False})
        sys.exit(code)

    def make_context(self, *given: Any, **options: Any) -> Any:
        """Read the arguments; `--help` prints already here."""
        try:
            with _for_a_reader():
                return super().make_context(*given, **options)
        except SystemExit:  # rich, which prints the help, ends so when nobody reads it
            raise typer.Exit(0) from None

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        with _for_a_reader():
            return super().invoke(ctx)

    def _quietly(self, given: list[str], *names: Any, **options: Any) -> int:
        """Run a command and return its exit code; what the framework would say to people, it says to scripts."""
        try:
            code = super().main(given, *names, **options)
        except typer.TyperException as error:
            return tell_error(error.format_message(), error.exit_code)
        except typer.Abort:
            return tell_error("nothing was done: it asks a question, and nobody answered (--yes answers it)", FAILED)
        except Exception as error:  # noqa: BLE001  a bug: told in full, and its last line is for the script
            traceback.print_exc()
            return tell_error(f"{type(error).__name__}: nobody expected this, it is a mistake of the program", FAILED)
        return code if isinstance(code, int) else 0


@contextmanager
def _for_a_reader() -> Iterator[None]:
    """Print for somebody who may stop reading at any time: that is no failure."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        if not _reader_is_gone():
            fail("a connection broke: try again")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered goes nowhere
        raise typer.Exit(0) from None


def _reader_is_gone() -> bool:
    """Say whether standard output is a pipe that nobody reads: a broken connection is another matter."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError):
        return False
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    return any(event & select.POLLERR for _, event in poll.poll(0))
