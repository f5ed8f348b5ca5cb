"""One order, its purchase, and its conversation, where the buyer's real address stands (NOTES 4.2, 4.3)."""

from typing import Any

from starlette.responses import Response

from sandbox.vtex import answers
from sandbox.vtex.masking import Mask, masked
from sandbox.vtex.order_document import Order
from sandbox.vtex.visit import Visit


def _order(visit: Visit) -> Order:
    """Return the order of the path, by its id.

    Raises:
        Refusal: 404 when there is none.
    """
    visit.shop.sales.settle()
    order = visit.shop.book.orders.get(visit.path["order_id"])
    if order is None:
        raise answers.orders(404, "Order Not Found", "OMS007")
    return order


async def get_order(visit: Visit) -> Response:
    """Return an order as it is now: the order system itself is not behind."""
    return answers.reply(_seen(visit, _order(visit)))


async def get_group(visit: Visit) -> Response:
    """Return every seller's part of a purchase."""
    found = visit.shop.book.parts(visit.path["group"])
    if not found:
        raise answers.orders(404, "Order Not Found", "OMS007")
    return answers.reply([_seen(visit, order) for order in found])


def _seen(visit: Visit, order: Order) -> Order:
    """Return what this read shows: now and then a status that is not there yet (NOTES 4.2)."""
    if visit.shop.dice.falls("null status", visit.shop.hostility.null_status):
        return order | {"status": None}
    return order


async def get_conversation(visit: Visit) -> Response:
    """Return the mails about an order, with the real address of the customer (NOTES 4.3)."""
    order = _order(visit)
    return answers.reply([_mail(visit, order)])


def _mail(visit: Visit, order: Order) -> dict[str, Any]:
    profile, account = order["clientProfileData"], visit.shop.account
    email = visit.shop.sales.real_email(order)
    shop = _person(order, f"noreply@{account}.com.br", account, None)
    buyer = _person(order, email, f"{profile['firstName']} {profile['lastName']}".strip(), "Customer")
    return {
        "id": f"{order['creationDate'][:19].lower().replace(':', '-')}_{order['orderFormId']}", "from": shop,
        "to": [buyer], "subject": "Recebemos seu pedido", "firstWords": "Recebemos seu pedido e...",
        "body": "<!DOCTYPE html><html><body><p>Recebemos seu pedido.</p></body></html>", "hasAttachment": False,
        "attachmentNames": [], "date": order["creationDate"],
    }  # fmt: skip


def _person(order: Order, email: str, name: str, role: str | None) -> dict[str, Any]:
    return {
        "conversationRelatedTo": order["orderId"], "conversationSubject": "oms",
        "emailAlias": masked(email, order["orderGroup"], Mask.HARD), "aliasMaskType": 0, "email": email, "name": name,
        "role": role,
    }  # fmt: skip
