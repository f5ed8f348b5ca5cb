"""A stable, unique name for a process: the lowest number of its kind that nobody on this machine holds.

Kafka's static membership wants a name that stays over a restart, and that no two processes share. The number is held by
a lock on a file, which the kernel frees however the process dies: a worker that is restarted gets its name back.
"""

import contextlib
import fcntl
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Final

from hellotext_vtex.settings import SettingsError
from hellotext_vtex.state_folder import make_private

MOST: Final = 1000
_TRIES: Final = 100
_held: list[int] = []
"""File descriptors that stay open, and so locked, as long as this process lives."""


def named(kind: str, name: str | None, state_folder: Path) -> str:
    """Return the name that is given, else the first free one; held until this process ends.

    Raises:
        SettingsError: as of `hold` and `claim`.
    """
    return claim(kind, state_folder) if name is None else hold(kind, name, state_folder)


def claim(kind: str, state_folder: Path) -> str:
    """Return a name such as `worker-myhost-3fa9-0`, held until this process ends.

    Args:
        kind: `worker` or `poller`.
        state_folder: shared by the processes of one installation on one machine.

    Raises:
        SettingsError: the state folder cannot hold the lock.
    """
    folder = state_folder / "instances"
    try:
        make_private(state_folder)
        folder.mkdir(exist_ok=True)
        for number in range(MOST):
            handle = os.open(folder / f"{kind}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
            else:
                _held.append(handle)
                return f"{kind}-{socket.gethostname()}-{_installation(folder)}-{number}"
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({error.strerror}): give a STATE_FOLDER that can, or name the process in "
            f"{kind.upper()}_INSTANCE"
        ) from error
    raise SettingsError(f"{MOST} processes of kind {kind} hold a name in {folder}")


def hold(kind: str, name: str, state_folder: Path) -> str:
    """Return a name that was given, held until this process ends.

    Args:
        kind: `worker` or `poller`.
        name: from its setting.
        state_folder: as that of `claim`.

    Raises:
        SettingsError: another process of this installation holds it, or the state folder cannot hold the lock.
    """
    folder = state_folder / "instances"
    try:
        make_private(state_folder)
        folder.mkdir(exist_ok=True)
        handle = os.open(folder / f"{kind}-named-{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SettingsError(
            f"a {kind} named {name} runs here already: two of one name would take each other's work away. Give each a "
            f"{kind.upper()}_INSTANCE of its own, or none: then each takes the first free name"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be written ({error.strerror}): give a STATE_FOLDER that can"
        ) from error  # fmt: skip
    _held.append(handle)
    return name


def _installation(folder: Path) -> str:
    """Return what tells this state folder from another on the same machine, made on first use."""
    file = folder / "id"
    with contextlib.suppress(FileExistsError):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.write(handle, secrets.token_hex(2).encode())
        os.close(handle)
    for _ in range(_TRIES):
        text = file.read_text("ascii")
        if text:
            return text
        time.sleep(0.01)  # another process is just writing it
    return "0"
