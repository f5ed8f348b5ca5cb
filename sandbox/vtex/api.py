"""VTEX's paths, for every account; mounted under `/vtex`, so that `/vtex/acme` is the host of the account acme."""

from collections.abc import Mapping

from starlette.routing import BaseRoute

from sandbox.vtex import documents, feed_api, login, oms, order_list, search
from sandbox.vtex.keys import Call
from sandbox.vtex.shop import Shop
from sandbox.vtex.visit import route


def routes(shops: Mapping[str, Shop]) -> list[BaseRoute]:
    """Return the routes of all accounts; shops may come and go while they serve."""
    return [*_master_data(shops), *_orders(shops), *_feed_and_hook(shops), *_identity(shops)]


def _identity(shops: Mapping[str, Shop]) -> list[BaseRoute]:
    return [
        route(shops, "POST", "/api/vtexid/apptoken/login", None, login.log_in),
        route(shops, "POST", "/api/vtexid/credential/validate", None, login.validate),
    ]


def _master_data(shops: Mapping[str, Shop]) -> list[BaseRoute]:
    base = "/api/dataentities"
    return [
        route(shops, "GET", f"{base}/{{acronym}}/search", Call.READ, search.search),
        route(shops, "GET", f"{base}/{{acronym}}/scroll", Call.SCROLL, search.scroll),
        route(shops, "GET", f"{base}/{{acronym}}/documents/{{id}}", Call.READ, documents.get_document),
        route(shops, "GET", f"{base}/{{acronym}}/documents/{{id}}/versions", Call.READ, documents.list_versions),
        route(
            shops, "GET", f"{base}/{{acronym}}/documents/{{id}}/versions/{{version}}", Call.READ, documents.get_version
        ),
        route(shops, "GET", base, Call.ENTITIES, documents.list_entities),
        route(shops, "GET", f"{base}/{{acronym}}", Call.ENTITY, documents.get_entity),
    ]


def _orders(shops: Mapping[str, Shop]) -> list[BaseRoute]:
    base = "/api/oms/pvt/orders"
    return [
        route(shops, "GET", base, Call.LIST, order_list.list_orders),
        route(shops, "GET", f"{base}/order-group/{{group}}", Call.ORDER, oms.get_group),
        route(shops, "GET", f"{base}/{{order_id}}", Call.ORDER, oms.get_order),
        route(shops, "GET", f"{base}/{{order_id}}/conversation-message", Call.CONVERSATION, oms.get_conversation),
    ]


def _feed_and_hook(shops: Mapping[str, Shop]) -> list[BaseRoute]:
    feed, hook = "/api/orders/feed", "/api/orders/hook/config"
    return [
        route(shops, "GET", feed, Call.FEED, feed_api.read_feed),
        route(shops, "POST", feed, Call.FEED, feed_api.commit_feed),
        route(shops, "GET", f"{feed}/config", Call.FEED, feed_api.get_feed_config),
        route(shops, "POST", f"{feed}/config", Call.FEED_SET, feed_api.set_feed_config),
        route(shops, "DELETE", f"{feed}/config", Call.FEED_SET, feed_api.delete_feed_config),
        route(shops, "GET", hook, Call.FEED, feed_api.get_hook_config),
        route(shops, "POST", hook, Call.FEED_SET, feed_api.set_hook_config),
        route(shops, "DELETE", hook, Call.FEED_SET, feed_api.delete_hook_config),
    ]
