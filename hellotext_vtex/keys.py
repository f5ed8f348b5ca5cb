"""SECRETS_KEY: the one given, else one made on first use and kept in the state folder (DESIGN section 9)."""

import contextlib
import os
import tempfile
from pathlib import Path

import structlog

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import WrongKey
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from hellotext_vtex.settings import Settings, SettingsError
from hellotext_vtex.state_folder import make_private

log = structlog.get_logger(__name__)
FILE = "secrets.key"


def open_box(settings: Settings) -> SecretBox:
    """Return what seals and opens the stores' secrets.

    Raises:
        SettingsError: the state folder cannot hold a key.
        WrongKey: what is given is no key.
    """
    if settings.secrets_key is not None and settings.secrets_key.get_secret_value():
        return SecretBox(settings.secrets_key.get_secret_value())
    return SecretBox(_kept(settings.state_folder / FILE))


def _kept(file: Path) -> bytes:
    try:
        if not file.exists():
            _make(file)
        return file.read_bytes().strip()
    except OSError as error:
        raise SettingsError(
            f"no SECRETS_KEY is given, and none can be kept in {file}: {error.strerror}. "
            "Give SECRETS_KEY, or a STATE_FOLDER that can be written."
        ) from error


def _make(file: Path) -> None:
    """Make a key; when several processes start at once, the first one's holds for all."""
    make_private(file.parent)
    handle, new = tempfile.mkstemp(prefix="secrets-", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as made:
            made.write(SecretBox.generate_key())
        with contextlib.suppress(FileExistsError):
            os.link(new, file)
            log.warning(
                "made a SECRETS_KEY: keep a copy, without it the stores must be connected again", file=str(file)
            )
    finally:
        Path(new).unlink()


async def require_key(connection: KafkaConnection, box: SecretBox) -> None:
    """Refuse to start with a key that opens no connected store: it belongs to another installation.

    Raises:
        WrongKey: stores are connected, and none opens.
    """
    async with StoreDirectory(connection) as directory:
        rows = directory.all()
    wrong: WrongKey | None = None
    for row in rows:
        try:
            box.unseal(row.hash_secret)
        except WrongKey as error:
            wrong = error
        else:
            return
    if wrong is not None:
        raise wrong
