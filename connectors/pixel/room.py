"""Whether there is room for the spool: what refused it last is remembered, told, and looked at again."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from connectors.seldom import Seldom

log = structlog.get_logger()

PROBE: Final = 256 * 1024  # more than any request brings
PROBE_FILE: Final = ".probe"


class Room:
    """The room in one folder.

    Attributes:
        trouble: why the spool took nothing when it was last written to; None while it takes what comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._telling = Seldom()
        self.trouble: str | None = None

    def refused(self, why: str) -> None:
        """Remember that nothing could be kept; a log tells it once, and ever more seldom while it lasts."""
        self.trouble = why
        if self._telling.due():
            with suppress(OSError):  # the log may stand on the same full disk
                log.warning(
                    "the spool takes nothing: until it does or Kafka is back requests are answered 503; make room on"
                    " its disk, or raise COLLECTOR_SPOOL_LIMIT",
                    folder=str(self._folder),
                    why=why,
                )

    def found(self) -> None:
        """Forget the trouble."""
        self.trouble = None
        if self._telling.over():
            with suppress(OSError):
                log.info("the spool takes events again", folder=str(self._folder))

    async def probe(self) -> None:
        """Look for the end of a trouble: who was refused may be sending elsewhere, so no event would find it."""
        if self.trouble is None:
            return
        try:
            await asyncio.to_thread(self._write)
        except OSError as error:
            self.trouble = unwritable(error)
        else:
            self.found()

    def _write(self) -> None:
        path = self._folder / PROBE_FILE
        try:
            with path.open("wb") as file:
                file.write(bytes(PROBE))
                file.flush()
                os.fsync(file.fileno())
        finally:
            path.unlink(missing_ok=True)


def unwritable(error: OSError) -> str:
    """Return what is wrong with the disk."""
    return f"the spool cannot be written: {error.strerror}"
