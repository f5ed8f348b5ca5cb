"""The order hook, which makes an order's change known within a second: set up, and set up again (NOTES 4.5).

VTEX removes a hook's configuration after three days without a notification, and says so to nobody. One hook belongs to
a key; what somebody else has configured under ours is left alone. The feed is the truth all the same.
"""

from typing import Any, Final

import structlog

from connectors.pixel.snippet import hooks_for
from connectors.vtex.errors import ContractChanged, HookUnreachable, ResourceMissing
from connectors.vtex.oms import STATUSES
from connectors.vtex.source import Source

log = structlog.get_logger(__name__)

EVERY_S: Final = 3600.0
HEADER: Final = "X-Hook-Secret"


class OrderHook:
    """Keeps the hook of one store.

    Args:
        source: the store.
        collector_url: where VTEX reaches the collector.
        secret: the store's hook secret, opened.
    """

    def __init__(self, source: Source, collector_url: str, secret: str) -> None:
        self._source = source
        self._url = hooks_for(source.store, collector_url).orders
        # VTEX's reference demands a header named `key`; which ones are sent is ours to choose.
        self._headers = {HEADER: secret, "key": "hellotext-vtex"}
        self._told = False

    async def look(self) -> float:
        """See that the hook stands; returns the seconds until the next look.

        Raises:
            HookUnreachable: VTEX got no answer from the collector.
        """
        try:
            await self._keep(await self._source.oms.hook_config())
        except ResourceMissing:
            pass  # who reads the feed needs the same right, and says so
        except ContractChanged as error:
            raise HookUnreachable(
                f"account {self._source.client.account} does not take the order hook (is {self._url} to be "
                "reached from outside, and does the collector run?): orders are told by the feed, some seconds later"
            ) from error
        return EVERY_S

    async def _keep(self, config: dict[str, Any] | None) -> None:
        if config is not None and not self._is_ours(config):
            if not self._told:
                log.info("the order hook of the key is somebody else's: it is left alone", store=self._source.name)
            self._told = True
            return
        if config is None or not self._is_right(config):
            await self._source.oms.configure_hook(self._url, self._headers)
            log.info("the order hook was configured", store=self._source.name, before=config is not None)

    def _is_ours(self, config: dict[str, Any]) -> bool:
        hook = config.get("hook")
        return isinstance(hook, dict) and hook.get("url") == self._url

    def _is_right(self, config: dict[str, Any]) -> bool:
        headers, filter = config["hook"].get("headers") or {}, config.get("filter") or {}  # noqa: A001  its name there
        return headers.get(HEADER) == self._headers[HEADER] and set(STATUSES) <= set(filter.get("status") or ())
