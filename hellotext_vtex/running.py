"""Which broker runs here: a file beside the state, so that a second terminal finds what the first one started."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from hellotext_vtex.settings import Settings, SettingsError
from hellotext_vtex.state_folder import make_private

log = structlog.get_logger(__name__)

FILE: Final = Path(".state") / "running.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A broker that one of our processes has started."""

    bootstrap_servers: str
    topic_prefix: str
    state_folder: str
    pid: int

    def announce(self) -> None:
        """Write it down, unless one runs here already: commands go on finding that one."""
        first = find_running()
        if first is not None and first.pid != self.pid:
            _unannounced(self, f"they find the one that process {first.pid} runs here, at {first.bootstrap_servers}")
            return
        try:
            make_private(FILE.parent)
            new = FILE.with_suffix(f".{os.getpid()}.new")
            new.write_text(json.dumps({name: getattr(self, name) for name in self.__slots__}))
            new.replace(FILE)
        except OSError as error:
            _unannounced(self, f"{FILE} cannot be written ({error.strerror})")

    def withdraw(self) -> None:
        """Forget it, unless somebody else has announced another meanwhile."""
        found = find_running()
        if found is not None and found.pid == self.pid:
            FILE.unlink(missing_ok=True)


def _unannounced(running: Running, reason: str) -> None:
    log.warning(
        "commands in this folder do not find this broker by themselves: give it to them in KAFKA_BOOTSTRAP_SERVERS",
        broker=running.bootstrap_servers, reason=reason,
    )  # fmt: skip


def find_running() -> Running | None:
    """Return the broker that was started from this folder and still has its process; None when there is none."""
    found = last_running()
    try:
        if found is not None:
            os.kill(found.pid, 0)
    except OSError:
        return None
    return found


def last_running() -> Running | None:
    """Return the broker that was started from this folder last and never stopped, whether it lives or not."""
    try:
        return Running(**json.loads(FILE.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def with_broker(settings: Settings) -> Settings:
    """Return the settings with a broker in them: the one given, else the one that runs here.

    Raises:
        SettingsError: there is neither.
    """
    if settings.kafka_bootstrap_servers:
        return settings
    found = find_running()
    if found is None:
        raise SettingsError(
            "no broker: start everything with `hellotext-vtex up`, a broker alone with `hellotext-vtex broker`, "
            "or name yours in KAFKA_BOOTSTRAP_SERVERS"
        )
    return settings.model_copy(
        update={
            "kafka_bootstrap_servers": found.bootstrap_servers,
            "topic_prefix": settings.topic_prefix or found.topic_prefix,
            "state_folder": Path(found.state_folder),
        }
    )
