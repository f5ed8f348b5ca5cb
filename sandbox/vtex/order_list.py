"""`GET /api/oms/pvt/orders`: filters, at most 30 pages of 100, and its own summary of an order (NOTES 4.1)."""

import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from starlette.responses import Response

from sandbox.vtex import answers
from sandbox.vtex.clock import parse
from sandbox.vtex.order_document import Order
from sandbox.vtex.visit import Visit
from sandbox.vtex.where import FOREVER

PAGES: Final = 30
PER_PAGE: Final = 100
_DATES: Final = ("creationDate", "authorizedDate", "invoicedDate")
_SPAN: Final = re.compile(r"(\w+):\[(\S+) TO (\S+)\]")
_ORDERED_BY: Final[dict[str, Callable[[Order], Any]]] = {
    "creationDate": lambda order: parse(order["creationDate"]),
    "orderId": lambda order: order["orderId"],
    "items": lambda order: len(order["items"]),
    "totalValue": lambda order: order["value"],
    "origin": lambda order: order["origin"],
}


async def list_orders(visit: Visit) -> Response:
    """Return one page of the orders that the filters let through."""
    page, size = _bounded(visit, "page", 1, PAGES), _bounded(visit, "per_page", 15, PER_PAGE)
    found = _ordered([order for order in _within(visit) if _passes(visit.query, order)], visit)
    total = len(found)
    shown = found[(page - 1) * size : page * size]
    paging = {"total": total, "pages": math.ceil(total / size), "currentPage": page, "perPage": size}
    return answers.reply(
        {"list": [_summary(order) for order in shown], "facets": [], "paging": paging, "stats": _stats(found)}
    )


def _bounded(visit: Visit, name: str, default: int, most: int) -> int:
    text = visit.query.get(name)
    if text is None:
        return default
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise answers.orders(400, f"{name} must be between 1 and {most}", "OMS001")
    return int(text)


def _span(visit: Visit, name: str) -> tuple[int, int] | None:
    text = visit.query.get(f"f_{name}")
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip())
    refusal = answers.orders(400, f"f_{name} must read {name}:[from TO to]", "OMS001")
    if found is None or found[1] != name:
        raise refusal
    try:
        return parse(found[2]), parse(found[3])
    except ValueError as error:
        raise refusal from error


def _within(visit: Visit) -> Iterable[Order]:
    low, high = _span(visit, "creationDate") or (-FOREVER, FOREVER)
    listed = visit.shop.book.listed(low, high, visit.shop.clock())
    others = {name: span for name in _DATES[1:] if (span := _span(visit, name)) is not None}
    return (order for order in listed if all(_lies(order.get(name), span) for name, span in others.items()))


def _lies(text: str | None, span: tuple[int, int]) -> bool:
    return text is not None and span[0] <= parse(text) <= span[1]


def _passes(query: Mapping[str, str], order: Order) -> bool:
    marketing = order.get("marketingData") or {}
    values: dict[str, Iterable[str]] = {
        "f_status": [str(order["status"])],
        "f_salesChannel": [str(order["salesChannel"])],
        "f_affiliateId": [order["affiliateId"]],
        "f_UtmSource": [marketing.get("utmSource", "")],
        "f_sellerNames": [seller["name"] for seller in order["sellers"]],
    }
    for name, found in values.items():
        if name in query and not set(query[name].split(",")) & set(found):
            return False
    returns = any(package["type"] == "Input" for package in (order.get("packageAttachment") or {}).get("packages", ()))
    return ("f_hasInputInvoice" not in query or (query["f_hasInputInvoice"] == "true") == returns) and _asked(
        query.get("q"), order
    )


def _asked(text: str | None, order: Order) -> bool:
    """Whether the full-text filter finds an order: id, group, sequence, document, e-mail as shown, name."""
    if not text:
        return True
    profile = order["clientProfileData"]
    seen = (
        order["orderId"],
        order["orderGroup"],
        order["sequence"],
        profile["document"],
        profile["email"],
        _name(order),
    )
    return any(text.lower() in str(value).lower() for value in seen)


def _ordered(found: list[Order], visit: Visit) -> list[Order]:
    name, _, direction = visit.query.get("orderBy", "creationDate,desc").partition(",")
    if name not in _ORDERED_BY:
        raise answers.orders(400, f"orderBy does not know {name[:30]}", "OMS001")
    return sorted(found, key=_ORDERED_BY[name], reverse=direction != "asc")


def _name(order: Order) -> str:
    profile = order["clientProfileData"]
    return f"{profile['firstName']} {profile['lastName']}".strip()


def _summary(order: Order) -> dict[str, Any]:
    payments = [payment for transaction in order["paymentData"]["transactions"] for payment in transaction["payments"]]
    return {
        "orderId": order["orderId"], "creationDate": order["creationDate"], "clientName": _name(order), "items": None,
        # A float where the index says so (NOTES 4.1): whole hundredths all the same.
        "totalValue": float(order["value"]),
        "paymentNames": ",".join(payment["paymentSystemName"] for payment in payments), "status": order["status"],
        "statusDescription": order["statusDescription"], "marketPlaceOrderId": order["marketplaceOrderId"],
        "sequence": order["sequence"], "salesChannel": order["salesChannel"], "affiliateId": order["affiliateId"],
        "origin": order["origin"], "workflowInErrorState": order["workflowIsInError"], "workflowInRetry": False,
        "lastMessageUnread": None, "ShippingEstimatedDate": None, "ShippingEstimatedDateMax": None,
        "ShippingEstimatedDateMin": None, "orderIsComplete": order["isCompleted"], "listId": None, "listType": None,
        "authorizedDate": order["authorizedDate"], "callCenterOperatorName": None, "totalItems": len(order["items"]),
        "currencyCode": order["storePreferencesData"]["currencyCode"],
    }  # fmt: skip


def _stats(found: Sequence[Order]) -> dict[str, Any]:
    values, items = [order["value"] for order in found], [len(order["items"]) for order in found]
    figures = {"totalValue": values, "totalItems": items}
    return {"stats": {name: {**_figures(row), "Facets": _facets(found, name)} for name, row in figures.items()}}


def _facets(found: Sequence[Order], name: str) -> dict[str, Any]:
    def of(order: Order) -> int:
        return int(order["value"]) if name == "totalValue" else len(order["items"])

    origins = {origin: [of(order) for order in found if order["origin"] == origin]
               for origin in ("Fulfillment", "Marketplace")}  # fmt: skip
    codes = sorted({"BRL"} | {str(order["storePreferencesData"]["currencyCode"]) for order in found})
    currencies = {code: [of(order) for order in found if order["storePreferencesData"]["currencyCode"] == code]
                  for code in codes}  # fmt: skip
    return {kind: {key: {**_figures(row), "Facets": None} for key, row in rows.items()}
            for kind, rows in (("origin", origins), ("currencyCode", currencies))}  # fmt: skip


def _figures(values: Sequence[int]) -> dict[str, Any]:
    return {
        "Count": len(values), "Max": max(values, default=0), "Mean": float(statistics.fmean(values)) if values else 0.0,
        "Min": min(values, default=0), "Missing": 0,
        "StdDev": float(statistics.pstdev(values)) if values else 0.0, "Sum": sum(values),
        "SumOfSquares": sum(value * value for value in values),
    }  # fmt: skip
