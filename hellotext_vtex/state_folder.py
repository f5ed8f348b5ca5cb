"""The state folder is its owner's alone: what people have told lies in its tables, its spool and its broker's data."""

import contextlib
import os
import stat
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

OURS: Final = (
    "instances", "kafka", "logs", "spool", "tables", "replay", "demo", "secrets.key", "secrets-*", "running.*",
    "lost+found",
)  # fmt: skip
"""All that stands in a state folder; where other things do as well, somebody shares the folder with us."""


def make_private(folder: Path) -> None:
    """Make a state folder, or close to others the one that there is, if it is ours: earlier versions left it open.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if is_open(folder) and _is_ours(folder):
        with contextlib.suppress(OSError):  # a file system without modes
            folder.chmod(0o700)
            log.warning("the state folder could be read by everybody: it is its owner's alone now", folder=str(folder))


def is_open(folder: Path) -> bool:
    """Return whether somebody else may look into a folder. A group is let in on purpose only."""
    return bool(folder.stat().st_mode & stat.S_IRWXO)


def _is_ours(folder: Path) -> bool:
    return folder.stat().st_uid == os.geteuid() and all(
        any(fnmatch(one.name, name) for name in OURS) for one in folder.iterdir()
    )
