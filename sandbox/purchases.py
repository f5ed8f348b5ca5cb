"""A purchase on its way through a checkout, in VTEX hundredths."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sandbox.catalogue import Product
from sandbox.people import Person

_SHIPPING: Final = {"CLP": 399_000, "COP": 990_000}


def shipping_in(currency: str) -> int:
    """Return the shipping of one seller's part, in hundredths."""
    return _SHIPPING.get(currency, 1500)


@dataclass(frozen=True, slots=True)
class Line:
    """Some pieces of a product."""

    product: Product
    quantity: int = 1

    def hundredths(self, currency: str) -> int:
        """Return what the line costs."""
        return self.product.price_in(currency) * self.quantity


@dataclass(frozen=True, slots=True)
class Checkout:
    """Who buys what, from which cart, and what VTEX remembers of where they came from.

    Attributes:
        group: the orderGroup that it becomes.
        buyer: as they know themselves.
        mask: how the order shows their e-mail: `hard`, `soft` or `none` (contracts/vtex NOTES 4.3).
        nameless: a call centre typed neither phone nor account.
        utm: `utmSource`, `utmMedium` and `utmCampaign`, where VTEX caught them.
    """

    group: str
    cart: str
    at: datetime
    buyer: Person
    lines: tuple[Line, ...]
    mask: str = "hard"
    nameless: bool = False
    utm: tuple[str, str, str] | None = None

    @property
    def sellers(self) -> list[str]:
        """Return the sellers, in the order in which VTEX numbers their parts."""
        return list(dict.fromkeys(line.product.seller for line in self.lines))

    @property
    def order_ids(self) -> list[str]:
        """Return the id of each seller's part."""
        return [f"{self.group}-{number:02}" for number, _ in enumerate(self.sellers, start=1)]

    def part_value(self, seller: str, currency: str) -> int:
        """Return what the buyer pays for one seller's part."""
        lines = sum(line.hundredths(currency) for line in self.lines if line.product.seller == seller)
        return lines + shipping_in(currency)

    def value(self, currency: str) -> int:
        """Return what the buyer pays."""
        return sum(self.part_value(seller, currency) for seller in self.sellers)

    def description(self, currency: str) -> dict[str, Any]:
        """Return the order as `Shop.place_order` takes it."""
        buyer = self.buyer
        told: dict[str, Any] = {
            "orderGroup": self.group,
            "orderFormId": self.cart,
            # VTEX writes seven digits and an offset (contracts/vtex NOTES 4.2).
            "creationDate": self.at.strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00"),
            "currency": currency,
            "mask": self.mask,
            "email": buyer.email,
            "firstName": buyer.first_name,
            "lastName": buyer.last_name,
            "shipping": shipping_in(currency),
            "items": [self._item(line, currency) for line in self.lines],
        }
        if not self.nameless:
            told |= {"customer": buyer.customer, "phone": buyer.phone}
        if self.utm is not None:
            source, medium, campaign = self.utm
            told["marketing"] = {"utmSource": source, "utmMedium": medium, "utmCampaign": campaign}
        return told

    def _item(self, line: Line, currency: str) -> dict[str, Any]:
        product = line.product
        return {
            "sku": product.sku, "productId": product.id, "name": product.name, "seller": product.seller,
            "price": product.price_in(currency), "quantity": line.quantity, "detailUrl": f"/{product.slug}/p",
        }  # fmt: skip
