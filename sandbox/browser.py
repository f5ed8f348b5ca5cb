"""A shopper's browser: what the pages of a shop send to the collector (contracts/hellotext CONTRACT A).

Two kinds of pages are out there: those with Hellotext's own client (`HellotextBrowser`: one request an event, two
acknowledgements on a first visit, no event ids) and those with the collector's pixel.js (`PixelBrowser`: batches,
event ids, a beacon that may repeat what was sent). Both keep the eternal UTM cookie.
"""

import json
import random
import uuid
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sandbox.catalogue import Product
from sandbox.facts import Visit
from sandbox.people import Person
from sandbox.purchases import Checkout, Line
from sandbox.steps import Call, Story

_MOZILLA: Final = "Mozilla/5.0"
_AGENTS: Final = (
    f"{_MOZILLA} (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Mobile Safari/537.36",
    f"{_MOZILLA} (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1",
    f"{_MOZILLA} (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Safari/537.36",
    f"{_MOZILLA} (Macintosh; Intel Mac OS X 10.15; rv:130.0) Gecko/20100101 Firefox/130.0",
)
Event = dict[str, Any]


class Browser(ABC):
    """One browser with its cookies; each action appends to the story, at the browser's clock.

    Args:
        business: the store's public business id.
        origin: of the shop's pages.
        currency: of the prices they show.
        at: when the browser is opened.
        consent: what the shop's pages add to each event, where they ask for it.
    """

    def __init__(
        self,
        story: Story,
        chance: random.Random,
        *,
        business: str,
        origin: str,
        currency: str,
        at: datetime,
        consent: str | None = None,
    ) -> None:
        self.visit = Visit(str(uuid.UUID(int=chance.getrandbits(128), version=4)))
        self.at = at
        self.cart = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        self._story = story
        self._chance = chance
        self._business = business
        self._origin = origin
        self._currency = currency
        self._consent = consent
        self._agent = chance.choice(_AGENTS)
        self._utm: dict[str, str] = {}
        self._user: dict[str, str] = {}
        self._page = f"{origin}/"
        self._fresh = True

    def wait(self, **spans: float) -> None:
        """Let time pass before the next action (`minutes=3`)."""
        self.at += timedelta(**spans)

    def land(self, campaign: str, channel: str) -> None:
        """Follow a campaign's link; the first sight is kept in the cookie and travels with every later event."""
        utm = {"source": "hellotext", "medium": channel, "campaign": campaign}
        if {**self._utm, "observed_at": ""} != {**utm, "observed_at": ""}:
            self._utm = {**utm, "observed_at": _text(self.at)}
            self.visit.landings.setdefault(campaign, self.at)
        self.open("/", **{f"utm_{name}": value for name, value in utm.items()})

    def arrive(self, source: str, medium: str) -> None:
        """Follow a link of somebody else's."""
        self._utm = {"source": source, "medium": medium, "observed_at": _text(self.at)}
        self.open("/", utm_source=source, utm_medium=medium)

    def remember(self, campaign: str, channel: str, landed: datetime) -> None:
        """Begin with a cookie from an earlier visit that nobody told us of."""
        self._utm = {"source": "hellotext", "medium": channel, "campaign": campaign, "observed_at": _text(landed)}
        self.visit.landings[campaign] = landed
        self._fresh = False

    def open(self, path: str, **query: str) -> None:
        """View a page."""
        self._page = f"{self._origin}{path}" + (f"?{urlencode(query)}" if query else "")
        if self._fresh:
            self._acknowledge()
        self._fresh = False
        self._track("page.viewed")

    def look_at(self, product: Product) -> None:
        """View a product's page."""
        self.open(f"/{product.slug}/p")
        self._track("product.viewed", object_parameters=self._product(product))

    def put_in_cart(self, line: Line) -> None:
        """Add to the cart."""
        self._track(
            "cart.added",
            order_form=self.cart,
            object_parameters={"source": "vtex", "items": [self._item(line)]},
        )

    def begin_checkout(self, lines: tuple[Line, ...]) -> None:
        """Go to the checkout; its script tells the order form (contracts/vtex NOTES 6)."""
        self.open("/checkout")
        total = sum(line.hundredths(self._currency) for line in lines)
        self._track(
            "checkout.started",
            event_id=f"checkout.started/{self.cart}",
            order_form=self.cart,
            amount=_major(total),
            currency=self._currency,
            object_parameters={"reference": self.cart, "source": "vtex", "items": [self._item(x) for x in lines]},
        )

    def identify(self, person: Person, *, by_email: bool = False) -> None:
        """Log in, or type an e-mail at the checkout: then the browser knows who sits before it."""
        identity = {
            "email": person.email, "phone": person.phone, "firstName": person.first_name,
            "lastName": person.last_name, "document": person.document, "source": "vtex",
        }  # fmt: skip
        user = person.email if by_email or person.user is None else person.user
        self._user = {"id": user or "", "source": "vtex"}
        self.visit.told = person.key
        self._told({"user_id": user, **identity})

    def order_placed(self, checkout: Checkout, *, known: bool = True, reloads: int = 0) -> None:
        """See the order-placed page, which tells the whole group again at each reload."""
        self.open("/checkout/orderPlaced", og=checkout.group)
        buyer = checkout.buyer
        told: Event = {
            "amount": _major(checkout.value(self._currency)),
            "currency": self._currency,
            "object_parameters": {
                "reference": checkout.group,
                "source": "vtex",
                "orders": checkout.order_ids,
                "items": [self._item(line) for line in checkout.lines],
            },
        }
        if known:
            self.visit.told = buyer.key
            told["user_parameters"] = {
                "email": buyer.email, "first_name": buyer.first_name, "last_name": buyer.last_name,
                "phone": buyer.phone, "source": "vtex",
            }  # fmt: skip
        for _ in range(1 + reloads):
            self._track("order.placed", event_id=f"order.placed/{checkout.group}", **told)
            self.wait(minutes=2)

    def leave(self) -> None:  # noqa: B027  not every client says something when it goes
        """Close the page."""

    @abstractmethod
    def _acknowledge(self) -> None:
        """Acknowledge the session, as this client does."""

    @abstractmethod
    def _told(self, identity: Event) -> None:
        """Tell who the shopper is."""

    @abstractmethod
    def _track(self, action: str, *, event_id: str | None = None, **params: Any) -> None:
        """Tell an event."""

    def _event(self, action: str, params: Event) -> Event:
        event = {
            "session": self.visit.session,
            "user_parameters": self._user,
            "action": action,
            "tracked_at": _text(self.at),
            **params,
            "page": {"url": self._page, "title": "Loja", "path": self._page.partition("?")[0][len(self._origin) :]},
            "utm_params": self._utm,
        }
        if self._consent is not None:
            event["consent"] = self._consent
        self.wait(seconds=self._chance.randrange(4, 50))
        return event

    def _headers(self, **more: str) -> dict[str, str]:
        headers = {"Origin": self._origin, "Referer": f"{self._origin}/", "User-Agent": self._agent}
        return {**headers, **more}

    def _product(self, product: Product) -> Event:
        return {
            "reference": product.id, "sku": product.sku, "name": product.name, "source": "vtex",
            "brand": product.brand, "categories": [product.category], "url": f"/{product.slug}/p",
            "price": {"amount": _major(product.price_in(self._currency)), "currency": self._currency},
        }  # fmt: skip

    def _item(self, line: Line) -> Event:
        price = {"amount": _major(line.product.price_in(self._currency)), "currency": self._currency}
        return {"quantity": line.quantity, "price": price, "product": self._product(line.product)}


class HellotextBrowser(Browser):
    """Pages with Hellotext's own client: nothing has an id, and each call stands alone."""

    def _acknowledge(self) -> None:
        # On a first visit the client acknowledges twice, the first time without its session (A3.2).
        for session in ({}, {"session": self.visit.session}):
            document = {"utm_params": self._utm, **session, "at": _text(self.at)} | self._choice()
            self._post("/v1/public/acks", document, "acknowledgements")

    def _told(self, identity: Event) -> None:
        document = {"session": self.visit.session, **identity, "tracked_at": _text(self.at)} | self._choice()
        self._post("/v1/public/identifications", document, "identifications")

    def _track(self, action: str, *, event_id: str | None = None, **params: Any) -> None:  # noqa: ARG002  it knows none
        self._post("/v1/track/events", self._event(action, params), "events")

    def _choice(self) -> Event:
        return {"consent": self._consent} if self._consent is not None else {}

    def _post(self, path: str, document: Event, counted: str) -> None:
        headers = self._headers(Authorization=f"Bearer {self._business}", Accept="application/json")
        self._story.add(Call(path, document, headers, (counted,)))


class PixelBrowser(Browser):
    """Pages with pixel.js: events wait for a batch, and what a closing page sent by beacon is sent once more."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[Event] = []

    def leave(self) -> None:
        """Send what waits; a third of the pages also send it by beacon, under the same ids."""
        if not self._waiting:
            return
        counts = tuple(_counted(event) for event in self._waiting)
        document = {"events": self._waiting}
        if self._chance.random() < 0.33:  # noqa: PLR2004  a share
            beacon = self._headers(**{"Content-Type": "text/plain;charset=UTF-8"})
            path = f"/v1/track/batch?{urlencode({'business': self._business})}"
            self._story.add(Call(path, json.dumps(document), beacon, ("duplicates",) * len(counts)))
        headers = self._headers(Authorization=f"Bearer {self._business}")
        self._story.add(Call("/v1/track/batch", document, headers, counts))
        self._waiting = []

    def open(self, path: str, **query: str) -> None:
        """View a page: the one before it sends what it has."""
        self.leave()
        super().open(path, **query)

    def _acknowledge(self) -> None:
        utm = {"utm_params": self._utm, "at": _text(self.at)}
        self._queue({"kind": "acknowledgement", "session": self.visit.session, **utm})

    def _told(self, identity: Event) -> None:
        at = {"tracked_at": _text(self.at)}
        self._queue({"kind": "identification", "session": self.visit.session, **identity, **at})

    def _track(self, action: str, *, event_id: str | None = None, **params: Any) -> None:
        self._queue(self._event(action, params), event_id)

    def _queue(self, event: Event, event_id: str | None = None) -> None:
        given = event_id or str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        choice = {"consent": self._consent} if self._consent is not None else {}
        self._waiting.append({"event_id": given, **choice, **event})


def _counted(event: Event) -> str:
    return {"acknowledgement": "acknowledgements", "identification": "identifications"}.get(
        event.get("kind", ""), "events"
    )


def _major(hundredths: int) -> float:
    return hundredths / 100


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
