"""What the wizard remembers between two pages, in memory only: what was typed, and what may be shown once.

A secret that was typed is never sent back to the browser, so it has to wait here for the next step. Both memories are
bounded in number and in time; the key is a random cookie.
"""

import secrets as random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pydantic import SecretStr

from connectors.console.checks import AccessReport

T = TypeVar("T")
SECRETS: Final = ("vtex_app_token", "hellotext_token", "infobip_key")


@dataclass(slots=True)
class Draft:
    """A connection that somebody is describing.

    Attributes:
        fields: as typed, secrets apart.
        secrets: typed, by field.
        before: what the store was connected with, by field, when it is connected already: a blank key keeps its own.
        report: what the last check of keys said; None when something was changed since.
        error: why connecting failed.
        revision: of what was typed: another window of the same browser may have typed something else since.
    """

    fields: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, SecretStr] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict, repr=False)
    report: AccessReport | None = None
    error: str = ""
    revision: str = ""

    def take(self, form: dict[str, str]) -> None:
        """Take in a form; a blank secret keeps the one typed before."""
        self.fields = {name: value.strip() for name, value in form.items() if name not in SECRETS}
        for name in SECRETS:
            if form.get(name, "").strip():
                self.secrets[name] = SecretStr(form[name].strip())
        if not self.fields.get("infobip_url"):
            self.secrets.pop("infobip_key", None)
        self.before = {}
        self.report, self.error, self.revision = None, "", random.token_urlsafe(8)


@dataclass(frozen=True, slots=True)
class Ticket:
    """Entitles the browser that connected a store to see its secrets, once; without them where it kept its keys."""

    store: str
    hook_secret: SecretStr | None = None
    server_token: SecretStr | None = None


class _Memory(Generic[T]):
    """Values by random key, at most so many, for so many seconds."""

    limit: int
    seconds: float

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def put(self, value: T) -> str:
        """Keep a value; returns its key."""
        key = random.token_urlsafe(24)
        self._kept[key] = (self._clock() + self.seconds, value)
        while len(self._kept) > self.limit:
            self._kept.popitem(last=False)
        return key

    def get(self, key: str | None) -> T | None:
        """Return a value that is still kept."""
        self._sweep()
        found = self._kept.get(key or "")
        return found[1] if found else None

    def pop(self, key: str | None) -> T | None:
        """Return a value and forget it."""
        value = self.get(key)
        self._kept.pop(key or "", None)
        return value

    def _sweep(self) -> None:
        now = self._clock()
        for key in [key for key, (until, _) in self._kept.items() if until < now]:
            del self._kept[key]


class Drafts(_Memory[Draft]):
    """Connections being described; half an hour each."""

    limit = 200
    seconds = 1800.0


class Tickets(_Memory[Ticket]):
    """Once-shown pages; ten minutes until they are opened."""

    limit = 200
    seconds = 600.0
