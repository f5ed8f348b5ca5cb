"""Smaller parts of an order document: items, totals, payment, address, packages, changes (NOTES 4.2)."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Final

from sandbox.vtex.clock import order_time

Part = dict[str, Any]

_PAYMENTS: Final = {
    "Pix": ("125", "instantPayment"), "Visa": ("2", "creditCard"), "Mastercard": ("4", "creditCard"),
    "Boleto Bancário": ("6", "bankInvoice"),
}  # fmt: skip


def item_part(item: Mapping[str, Any], group: str, numbers: Random) -> Part:
    """Return a whole item; `sku`, `price` (hundredths) and `quantity` are what a description tells."""
    sku = str(item.get("id") or item.get("sku") or "18")
    price, quantity = int(item.get("price", 9900)), int(item.get("quantity", 1))
    name = item.get("name", f"Produto {sku}")
    return {
        "uniqueId": f"{numbers.getrandbits(128):032X}", "id": sku, "productId": str(item.get("productId", sku)),
        "ean": None, "lockId": f"00-{group}-01", "itemAttachment": {"content": {}, "name": None}, "attachments": [],
        "quantity": quantity, "seller": "1", "name": name, "refId": f"REF{sku}", "price": price, "listPrice": price,
        "manualPrice": None, "priceTags": [], "imageUrl": f"http://loja.vteximg.com.br/ids/{sku}.jpg",
        "detailUrl": f"/produto-{sku}/p", "components": [], "bundleItems": [], "params": [], "offerings": [],
        "attachmentOfferings": [], "sellerSku": sku, "priceValidUntil": None, "commission": 0, "tax": 0,
        "preSaleDate": None, "additionalInfo": _information(), "measurementUnit": "un", "unitMultiplier": 1.0,
        "sellingPrice": price, "isGift": False, "shippingPrice": None, "rewardValue": 0, "freightCommission": 0,
        "priceDefinition": {
            "sellingPrices": [{"value": price, "quantity": quantity}], "calculatedSellingPrice": price,
            "total": price * quantity, "reason": None,
        },
        "taxCode": "", "parentItemIndex": None, "parentAssemblyBinding": None, "callCenterOperator": None,
        "serialNumbers": None, "assemblies": [], "costPrice": price // 2,
    } | {name: value for name, value in item.items() if name != "sku"}  # fmt: skip


def _information() -> Part:
    return {
        "brandName": "Marca", "brandId": "2000000", "categoriesIds": "/9/", "categories": [{"id": 9, "name": "Roupas"}],
        "productClusterId": "135", "commercialConditionId": "1",
        "dimension": {"cubicweight": 1.0, "height": 10.0, "length": 10.0, "weight": 10.0, "width": 10.0},
        "offeringInfo": None, "offeringType": None, "offeringTypeId": None,
    }  # fmt: skip


def totals_part(items: Sequence[Part], description: Mapping[str, Any]) -> list[Part]:
    """Return the four totals, in hundredths; a discount is negative."""
    goods = sum(item["sellingPrice"] * item["quantity"] for item in items)
    amounts = (
        ("Items", "Total dos Itens", goods),
        ("Discounts", "Total dos Descontos", -abs(int(description.get("discount", 0)))),
        ("Shipping", "Total do Frete", int(description.get("shipping", 0))),
        ("Tax", "Total da Taxa", int(description.get("tax", 0))),
    )
    return [{"id": name, "name": title, "value": value} for name, title, value in amounts]


def payment_part(value: int, name: str, numbers: Random) -> Part:
    """Return one transaction with one payment; the numbers of a card as far as VTEX shows them."""
    system, group = _PAYMENTS.get(name, ("201", "promissory"))
    card = group == "creditCard"
    payment = {
        "id": f"{numbers.getrandbits(128):032X}", "paymentSystem": system, "paymentSystemName": name, "value": value,
        "installments": 1, "referenceValue": value, "cardHolder": None, "cardNumber": None,
        "firstDigits": "444433" if card else None, "lastDigits": "1111" if card else None, "cvv2": None,
        "expireMonth": None, "expireYear": None, "url": None, "giftCardId": None, "giftCardName": None,
        "giftCardCaption": None, "redemptionCode": None, "group": group, "tid": str(numbers.getrandbits(28)),
        "dueDate": None, "connectorResponses": {}, "giftCardProvider": None, "giftCardAsDiscount": None,
        "koinUrl": None, "accountId": None, "parentAccountId": None, "bankIssuedInvoiceIdentificationNumber": None,
        "bankIssuedInvoiceIdentificationNumberFormatted": None, "bankIssuedInvoiceBarCodeNumber": None,
        "bankIssuedInvoiceBarCodeType": None, "billingAddress": None, "paymentOrigin": None,
    }  # fmt: skip
    transaction = f"{numbers.getrandbits(128):032X}"
    return {
        "giftCards": [],
        "transactions": [
            {"isActive": True, "transactionId": transaction, "merchantName": "LOJA", "payments": [payment]}
        ],
    }


def address_part(receiver: str, country: str) -> Part:
    """Return a home."""
    return {
        "addressType": "residential", "receiverName": receiver, "addressId": "casa", "versionId": None,
        "entityId": None, "postalCode": "22630-011", "city": "Rio de Janeiro", "state": "RJ", "country": country,
        "street": "Avenida Lúcio Costa", "number": "126", "neighborhood": "Barra da Tijuca", "complement": "",
        "reference": None, "geoCoordinates": [-43.3373718, -23.0105873],
    }  # fmt: skip


def logistics_part(country: str) -> Part:
    """Return one delivery."""
    return {
        "itemIndex": 0, "selectedSla": "Normal", "lockTTL": "10d", "price": 0, "listPrice": 0, "sellingPrice": 0,
        "deliveryWindow": None, "deliveryCompany": "Correios", "shippingEstimate": "4bd",
        "shippingEstimateDate": "2026-03-09T10:13:40.1020453+00:00", "slas": [], "shipsTo": [country],
        "deliveryIds": [], "deliveryChannels": [{"id": "delivery", "stockBalance": 0}], "deliveryChannel": "delivery",
        "pickupStoreInfo": {
            "additionalInfo": None, "address": None, "dockId": None, "friendlyName": None, "isPickupStore": False,
        }, "addressId": "casa", "versionId": None, "entityId": None, "polygonName": "",
        "pickupPointId": None, "transitTime": "3d",
    }  # fmt: skip


def package_part(kind: str, number: str, value: int, now: int, *, refund: int | None = None) -> Part:
    """Return an invoice: `Output` for goods sold, `Input` for goods that came back, with what is paid back for them."""
    restitutions: Part = {}
    if refund is not None:
        restitutions = {"Refund": {"value": refund, "giftCardData": None, "items": []}}
    return {
        "items": [], "courier": "Correios", "invoiceNumber": number, "invoiceValue": value, "invoiceUrl": None,
        "issuanceDate": order_time(now), "trackingNumber": f"TRK{number}", "invoiceKey": None, "trackingUrl": None,
        "embeddedInvoice": "", "type": kind, "courierStatus": None, "cfop": None, "restitutions": restitutions,
        "volumes": 1, "EnableInferItems": False,
    }  # fmt: skip


def change_part(order_id: str, reason: str, now: int, *, discount: int, increment: int, receipt: str) -> Part:
    """Return one entry of `changesAttachment.changesData`, amounts in hundredths."""
    return {
        "reason": reason, "discountValue": discount, "incrementValue": increment, "itemsAdded": [],
        "itemsRemoved": [], "receipt": {"date": order_time(now), "orderId": order_id, "receipt": receipt},
    }  # fmt: skip


def cancellation_part(reason: str, by: str, now: int) -> Part:
    """Return `cancellationData`; `by` is User, System, SellerNotification or PaymentNotification."""
    origins = ("User", "System", "SellerNotification", "PaymentNotification")
    flags = {f"RequestedBy{origin}": origin == by for origin in origins}
    return {**flags, "Reason": reason, "CancellationDate": order_time(now).replace("+00:00", "Z")}
