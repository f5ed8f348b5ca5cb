"""Builds whole OMS order documents from a short description (NOTES 4.2; orders.json, "Get order")."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from sandbox.vtex.clock import order_time
from sandbox.vtex.masking import Mask, masked
from sandbox.vtex.order_parts import address_part, item_part, logistics_part, payment_part, totals_part

Order = dict[str, Any]
"""An order document. Never changed in place."""

TITLES: Final = {
    "order-created": "Pedido Criado", "payment-pending": "Pagamento Pendente", "approve-payment": "Aprovar Pagamento",
    "payment-approved": "Pagamento Aprovado", "window-to-cancel": "Carência para Cancelamento",
    "ready-for-handling": "Pronto para o Manuseio", "handling": "Preparando Entrega", "invoice": "Faturar",
    "invoiced": "Faturado", "cancellation-requested": "Cancelamento Solicitado", "cancel": "Cancelar",
    "canceled": "Cancelado", "replaced": "Substituído",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Currency:
    """How a store writes money, and where it is."""

    code: str
    country: str
    symbol: str
    decimals: int
    locale: str
    language: int
    zone: str


CURRENCIES: Final = {
    entry.code: entry
    for entry in (
        Currency("BRL", "BRA", "R$", 2, "pt-BR", 1046, "E. South America Standard Time"),
        Currency("ARS", "ARG", "$", 2, "es-AR", 11274, "Argentina Standard Time"),
        Currency("CLP", "CHL", "$", 0, "es-CL", 13322, "Pacific SA Standard Time"),
        Currency("COP", "COL", "$", 0, "es-CO", 9226, "SA Pacific Standard Time"),
        Currency("MXN", "MEX", "$", 2, "es-MX", 2058, "Central Standard Time (Mexico)"),
        Currency("PEN", "PER", "S/", 2, "es-PE", 10250, "SA Pacific Standard Time"),
        Currency("USD", "USA", "$", 2, "en-US", 1033, "Eastern Standard Time"),
    )
}


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one description says, with the gaps filled: one purchase, one part for each seller.

    Attributes:
        given: VTEX's own top-level fields, which win over everything made here.
        buyer: the CL document of the buyer, empty for a guest.
    """

    account: str
    group: str
    sequence: int
    now: int
    description: Mapping[str, Any]
    given: Mapping[str, Any]
    buyer: Mapping[str, Any]
    currency: Currency
    mask: Mask
    numbers: Random

    @property
    def email(self) -> str:
        """The buyer's real address."""
        return str(self.description.get("email") or self.buyer.get("email") or "")


def parts(purchase: Purchase) -> list[Order]:
    """Return one document for each seller, `<group>-01` and so on."""
    items = list(purchase.given.get("items") or purchase.description.get("items") or [{}])
    sellers = list(dict.fromkeys(str(item.get("seller", "1")) for item in items))
    if "orderId" in purchase.given:
        return [_part(purchase, str(purchase.given["orderId"]), sellers, items)]
    return [
        _part(purchase, f"{purchase.group}-{number:02}", [seller],
              [item for item in items if str(item.get("seller", "1")) == seller])
        for number, seller in enumerate(sellers, start=1)
    ]  # fmt: skip


def _part(purchase: Purchase, order_id: str, sellers: list[str], items: Iterable[Mapping[str, Any]]) -> Order:
    whole_items = [item_part(item, purchase.group, purchase.numbers) for item in items]
    totals = totals_part(whole_items, purchase.description)
    value = sum(total["value"] for total in totals)
    order = _head(purchase, order_id, sellers) | _money(purchase, whole_items, totals, value)
    order |= _people(purchase) | _nothing()
    for name, given in purchase.given.items():
        if name != "items":
            known = order.get(name)
            order[name] = known | given if isinstance(known, dict) and isinstance(given, dict) else given
    order["creationDate"] = order["creationDate"] or order_time(purchase.now)
    order["statusDescription"] = TITLES.get(order["status"], order["status"])
    return order


def _head(purchase: Purchase, order_id: str, sellers: list[str]) -> Order:
    account, at = purchase.account, order_time(purchase.now)
    endpoint = f"http://fulfillment.vtexcommerce.com.br/api/fulfillment?an={account}"
    return {
        "orderId": order_id, "sequence": str(purchase.sequence), "marketplaceOrderId": order_id,
        "marketplaceServicesEndpoint": f"http://oms.vtexinternal.com.br/api/oms?an={account}",
        "sellerOrderId": f"00-v{purchase.sequence}{account[:4]}-{order_id[-2:]}",
        "origin": purchase.description.get("origin", "Marketplace"), "affiliateId": "", "salesChannel": "1",
        "merchantName": None, "status": purchase.description.get("status", "payment-pending"),
        "workflowIsInError": False, "statusDescription": "", "value": 0, "creationDate": at, "lastChange": at,
        "orderGroup": purchase.group, "followUpEmail": "", "lastMessage": None, "hostname": account,
        "isCompleted": True, "roundingError": 0,
        "orderFormId": purchase.description.get("orderFormId") or f"{purchase.numbers.getrandbits(128):032x}",
        "allowCancellation": True, "allowEdition": False, "isCheckedIn": False, "authorizedDate": None,
        "invoicedDate": None, "cancelReason": None, "checkedInPickupPointId": None,
        "sellers": [{"id": seller, "name": account if seller == "1" else seller, "logo": None,
                     "fulfillmentEndpoint": endpoint} for seller in sellers],
    }  # fmt: skip


def _money(purchase: Purchase, items: list[Order], totals: list[Order], value: int) -> Order:
    currency = purchase.currency
    return {
        "value": value,
        "totals": totals,
        "items": items,
        "itemMetadata": {"Items": [_metadata(item) for item in items]},
        "paymentData": payment_part(value, purchase.description.get("payment", "Pix"), purchase.numbers),
        "storePreferencesData": {
            "countryCode": currency.country, "currencyCode": currency.code, "currencyLocale": currency.language,
            "currencySymbol": currency.symbol, "timeZone": currency.zone,
            "currencyFormatInfo": {
                "CurrencyDecimalDigits": currency.decimals, "CurrencyDecimalSeparator": ",",
                "CurrencyGroupSeparator": ".", "CurrencyGroupSize": 3, "StartsWithCurrencySymbol": True,
            },
        },
        "marketingData": _marketing(purchase.description.get("marketing")),
    }  # fmt: skip


def _metadata(item: Order) -> Order:
    return {
        "Id": item["id"], "Seller": item["seller"], "Name": item["name"], "SkuName": item["name"],
        "ProductId": item["productId"], "RefId": item["refId"], "Ean": item["ean"] or "", "ImageUrl": item["imageUrl"],
        "DetailUrl": item["detailUrl"], "AssemblyOptions": [],
    }  # fmt: skip


def _marketing(told: Mapping[str, Any] | None) -> Order | None:
    if told is None:
        return None
    return {
        "id": "marketingData", "utmSource": "", "utmPartner": "", "utmMedium": "", "utmCampaign": "", "coupon": "",
        "utmiCampaign": "", "utmipage": "", "utmiPart": "", "marketingTags": [], **told,
    }  # fmt: skip


def _people(purchase: Purchase) -> Order:
    buyer, told = purchase.buyer, purchase.description
    first, last = (told.get(name) or buyer.get(name) or "" for name in ("firstName", "lastName"))
    address = address_part(f"{first} {last}".strip(), purchase.currency.country)
    return {
        "clientProfileData": {
            "id": "clientProfileData", "email": masked(purchase.email, purchase.group, purchase.mask),
            "firstName": first, "lastName": last, "documentType": buyer.get("documentType") or "cpf",
            "document": buyer.get("document") or "",
            "phone": told.get("phone") or buyer.get("homePhone") or buyer.get("phone") or "",
            "corporateName": None, "tradeName": None, "corporateDocument": None, "stateInscription": None,
            "corporatePhone": None, "isCorporate": False, "userProfileId": buyer.get("userId") or "",
            "userProfileVersion": None, "customerClass": None, "customerCode": None,
        },
        "clientPreferencesData": {
            "locale": purchase.currency.locale, "optinNewsLetter": bool(told.get("optinNewsLetter", False)),
        },
        "shippingData": {
            "id": "shippingData", "address": address, "logisticsInfo": [logistics_part(purchase.currency.country)],
            "trackingHints": [], "selectedAddresses": [address], "contactInformation": [],
        },
    }  # fmt: skip


def _nothing() -> Order:
    """Return the fields that most orders have empty."""
    return {
        "cancellationData": None, "taxData": None, "subscriptionData": None, "marketplace": None, "customData": None,
        "commercialConditionData": None, "openTextField": None, "changesAttachment": None,
        "invoiceData": {"address": None, "userPaymentInfo": None}, "callCenterOperatorData": None,
        "packageAttachment": {"packages": []}, "giftRegistryData": None, "marketplaceItems": [],
        "ratesAndBenefitsData": {"id": "ratesAndBenefitsData", "rateAndBenefitsIdentifiers": []},
    }  # fmt: skip
