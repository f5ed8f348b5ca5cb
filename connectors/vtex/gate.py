"""What stands before every call of one account: budget, circuit breaker, and the one scroll it may hold.

A 429 or 503 is the account's, not the call's, and can take the merchant's admin down (NOTES 5, 9.15): it silences the
whole account, not only the reader that met it.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import structlog

from connectors.vtex.budget import Budget
from connectors.vtex.settings import CallSettings
from schemas.stores import StoreConnection, VtexAccess

log = structlog.get_logger(__name__)

TOLD_S: Final = 10.0
"""Shorter rests are over before anybody reads of them."""


class Gate:
    """The gate of one account.

    Args:
        account: its name, for the log.
        settings: rates and patience.
        per_minute: calls that may begin in a minute, the shop's own share already taken off.

    Attributes:
        rests_until: before that no call begins, Unix seconds; None while they do.
        news: set when that changes, and replaced by another event.
    """

    def __init__(self, account: str, settings: CallSettings, per_minute: float) -> None:
        self.budget = Budget(per_minute, settings.burst, settings.concurrency)
        self.scrolling = asyncio.Lock()
        self._account = account
        self._settings = settings
        self._failures = 0
        self._opened = 0
        self.rests_until: float | None = None
        self.news = asyncio.Event()

    def succeeded(self) -> None:
        """Note an answer: the circuit closes."""
        if self._opened:
            log.info("VTEX answers again", account=self._account)
        self._failures = self._opened = 0
        self.budget.probing = False
        if self.rests_until is not None and not self.budget.paused_for:  # else a call from before the pause
            self._rest(None)

    def failed(self) -> None:
        """Note that no whole answer came; enough of them in a row open the circuit."""
        self._failures += 1
        if self._failures < self._settings.breaker and not self._opened:
            return
        if self.budget.paused_for:
            return  # a call that was under way when the circuit opened
        wait = min(self._settings.breaker_limit, self._settings.breaker_wait * 2**self._opened)
        self._opened += 1
        self._pause(wait)
        self.budget.probing = True
        log.warning("VTEX does not answer: calls of the account rest", account=self._account, seconds=wait)

    def throttled(self, retry_after: float | None) -> float:
        """Silence the account after a 429; returns for how long."""
        wait = self._settings.throttled if retry_after is None else retry_after
        if not self.budget.paused_for:
            self.budget.press()
            log.warning("VTEX throttles the account: its calls rest", account=self._account, seconds=wait)
        self._pause(wait)
        return wait

    def _pause(self, seconds: float) -> None:
        self.budget.pause(seconds)
        if self.budget.paused_for >= TOLD_S:
            self._rest(time.time() + self.budget.paused_for)

    def _rest(self, until: float | None) -> None:
        self.rests_until = until
        news, self.news = self.news, asyncio.Event()
        news.set()


@dataclass(slots=True)
class _Entry:
    gate: Gate
    stores: dict[str, StoreConnection] = field(default_factory=dict)


class Gates:
    """The gates of this process, one for each account, whatever the number of stores that share it.

    Args:
        settings: rates and patience.
    """

    def __init__(self, settings: CallSettings) -> None:
        self._settings = settings
        self._entries: dict[tuple[str, str], _Entry] = {}

    def enter(self, store: StoreConnection) -> Gate:
        """Return the gate of the account of a store that is about to be read; `share` gives it its calls."""
        key = _account(store.vtex)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(Gate(store.vtex.account, self._settings, 60))
        entry.stores[store.store] = store
        return entry.gate

    def leave(self, store: StoreConnection) -> None:
        """Give a store's place back; the gate stays, since its pauses still hold."""
        entry = self._entries.get(_account(store.vtex))
        if entry is not None:
            entry.stores.pop(store.store, None)

    def share(self, connected: Iterable[StoreConnection]) -> None:
        """Give each account what is ours of its calls; whenever a store comes, goes or changes, here or elsewhere.

        Args:
            connected: every store there is: those of one account that other pollers read have their share of it.
        """
        reading: dict[tuple[str, str], set[str]] = {}
        for store in connected:
            if not store.paused:
                reading.setdefault(_account(store.vtex), set()).add(store.store)
        for key, entry in self._entries.items():
            if entry.stores:
                told = [store.vtex.calls_per_minute or self._settings.per_minute for store in entry.stores.values()]
                allowed = min(told) * (1 - self._settings.floor)
                entry.gate.budget.limit(
                    allowed * len(entry.stores) / len(reading.get(key, set()) | entry.stores.keys())
                )


def _account(access: VtexAccess) -> tuple[str, str]:
    return access.url, access.account
