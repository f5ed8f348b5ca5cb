"""Configuring, reading and committing the feed; configuring the hook (NOTES 4.4, 4.5)."""

from collections.abc import Mapping
from random import Random
from typing import Any

from starlette.responses import Response

from sandbox.vtex import answers
from sandbox.vtex.feed import LOT, RETENTION, VISIBILITY, Feed, event
from sandbox.vtex.filters import BadFilter, Filter
from sandbox.vtex.hook import PING, Hook
from sandbox.vtex.visit import Visit

_VALUE_NOT_FOUND = "Value not found"


def _feed(visit: Visit) -> Feed:
    """Return the feed of the caller's key.

    Raises:
        Refusal: 404 when the key has none, or has none any more.
    """
    shop, app_key = visit.shop, visit.holder.app_key
    feed = shop.feeds.get(app_key)
    if feed is not None and feed.forgotten(shop.clock()):
        del shop.feeds[app_key]
        feed = None
    if feed is None:
        raise answers.orders(404, _VALUE_NOT_FOUND)
    return feed


async def get_feed_config(visit: Visit) -> Response:
    """Return the configuration, and how much waits how long."""
    return answers.reply(_feed(visit).told(visit.shop.clock()))


async def set_feed_config(visit: Visit) -> Response:
    """Make or change the feed of the caller's key; what waits in it stays."""
    shop, app_key = visit.shop, visit.holder.app_key
    body = await _document(visit)
    wanted, queue = _filter(body), _mapping(body.get("queue"))
    visibility = _seconds(queue, "visibilityTimeoutInSeconds", *VISIBILITY)
    retention = _seconds(queue, "MessageRetentionPeriodInSeconds", *RETENTION)
    present = shop.feeds.get(app_key)
    if present is None or present.forgotten(shop.clock()):
        numbers = Random(f"{shop.hostility.seed}:{app_key}:{shop.clock()}")
        shop.feeds[app_key] = Feed(wanted, visibility, retention, numbers, shop.clock())
        return answers.empty(200)
    if present.filter.type != wanted.type:
        raise answers.orders(409, "The filter type of an existing feed cannot be changed")
    present.filter, present.visibility, present.retention = wanted, visibility, retention
    present.fed = shop.clock()
    return answers.empty(200)


async def delete_feed_config(visit: Visit) -> Response:
    """Remove the feed and what waits in it."""
    _feed(visit)
    del visit.shop.feeds[visit.holder.app_key]
    return answers.empty(200)


async def read_feed(visit: Visit) -> Response:
    """Return up to ten events; each comes back after the visibility time unless it is committed."""
    shop = visit.shop
    if shop.dice.falls("feed removed", shop.hostility.feed_removed):
        shop.feeds.pop(visit.holder.app_key, None)
    feed, most = _feed(visit), visit.query.get("maxlot", "")
    if not most.isdigit() or not 1 <= int(most) <= LOT:
        raise answers.orders(400, f"maxlot must be between 1 and {LOT}")
    mixed = shop.dice.falls("feed disorder", shop.hostility.feed_disorder)
    return answers.reply([event(message) for message in feed.read(int(most), shop.clock(), mixed=mixed)])


async def commit_feed(visit: Visit) -> Response:
    """Remove events for good. A handle that is not good any more changes nothing, and nobody is told."""
    feed, body = _feed(visit), await _document(visit)
    handles = body.get("handles")
    if not isinstance(handles, list) or not handles:
        raise answers.orders(400, "handles must list the handles of events")
    for handle in handles:
        feed.commit(str(handle))
    return answers.empty(200)


def _hook(visit: Visit) -> Hook:
    shop, app_key = visit.shop, visit.holder.app_key
    hook = shop.hooks.get(app_key)
    if hook is not None and hook.forgotten(shop.clock()):
        del shop.hooks[app_key]
        hook = None
    if hook is None:
        raise answers.orders(404, _VALUE_NOT_FOUND)
    return hook


async def get_hook_config(visit: Visit) -> Response:
    """Return the hook of the caller's key."""
    return answers.reply(_hook(visit).told())


async def set_hook_config(visit: Visit) -> Response:
    """Ping the address, and keep the hook when it answers 200."""
    shop, body = visit.shop, await _document(visit)
    wanted, target = _filter(body), _mapping(body.get("hook"))
    url, headers = str(target.get("url") or ""), _mapping(target.get("headers"))
    texts = {str(name): str(value) for name, value in headers.items()}
    if not url.startswith(("https://", "http://")):
        raise answers.orders(400, "Unable to check address")
    status = await shop.courier.sender(url, texts, PING)
    if status != 200:  # noqa: PLR2004  VTEX wants exactly 200
        raise answers.orders(400, f"Unable to check address: the ping was answered {status or 'by nobody'}")
    app_key = visit.holder.app_key
    shop.hooks[app_key] = Hook(wanted, url, texts, app_key, shop.account, shop.clock())
    return answers.reply(shop.hooks[app_key].told())


async def delete_hook_config(visit: Visit) -> Response:
    """Remove the hook."""
    _hook(visit)
    del visit.shop.hooks[visit.holder.app_key]
    return answers.empty(200)


async def _document(visit: Visit) -> Mapping[str, Any]:
    body = await visit.json()
    if not isinstance(body, dict):
        raise answers.orders(400, "The request body must be an object")
    return body


def _filter(body: Mapping[str, Any]) -> Filter:
    try:
        return Filter.read(body.get("filter"))
    except BadFilter as error:
        raise answers.orders(400, str(error)) from error


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(queue: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = queue.get(name, queue.get(f"{name[0].lower()}{name[1:]}"))
    if not isinstance(value, int) or not least <= value <= most:
        raise answers.orders(400, f"{name} must be between {least} and {most}")
    return value
