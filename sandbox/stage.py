"""Where a shop's day is set: its clock, its campaigns, its browsers, and the facts that come about.

A stage belongs to one store. Roles (roles.py) act on it: whatever they do becomes a step of a story, for the
interfaces, and a fact, for the ledger.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from sandbox.browser import Browser, HellotextBrowser, PixelBrowser
from sandbox.catalogue import PRODUCTS
from sandbox.facts import Facts, Message, Part, Price, Purchase
from sandbox.people import Country, People, Person
from sandbox.purchases import Checkout, Line
from sandbox.sendings import Outcome, Sending
from sandbox.steps import Call, ShopChange, Story

HOURS: Final = 20
"""How far back the day begins; everything in it has happened before it is played."""
_PRICES: Final = {"BRL": ("0.3125", "0.09"), "CLP": ("84.5", "41"), "MXN": ("0.82", "0.55"), "COP": ("210", "95")}


@dataclass(frozen=True, slots=True)
class Scene:
    """Which store the day is about, and where it is.

    Attributes:
        business: public id that pages carry.
        origin: of the shop's pages.
        now: when the day is played.
    """

    store: str
    business: str
    origin: str
    country: Country
    timezone: str
    currency: str
    seed: int
    now: datetime


@dataclass(slots=True)
class Stage:
    """One store's day in the making."""

    scene: Scene
    people: People
    facts: Facts
    chance: random.Random = field(init=False)
    start: datetime = field(init=False)
    stories: list[Story] = field(default_factory=list)
    bought: list[tuple[Purchase, Story]] = field(default_factory=list)
    sendings: dict[str, Sending] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scene = self.scene
        self.chance = random.Random(f"stage {scene.store} {scene.seed}")
        self.start = (scene.now - timedelta(hours=HOURS)).replace(microsecond=0)
        whatsapp, sms = (Price(Decimal(text), scene.currency) for text in _PRICES.get(scene.currency, ("0.05", "0.04")))
        self._campaign("offer", "Oferta da semana", "whatsapp", self.after(1), whatsapp)
        self._campaign("coupon", "Cupom relâmpago", "sms", self.after(8), sms)
        self._campaign("cart", "Carrinho abandonado", "whatsapp", self.after(2), whatsapp)
        self._campaign("early", "Aviso antecipado", "sms", self.after(-30), sms)
        self.sendings["codes"] = Sending(None, "", "sms", self.after(3), sms, self.chance)

    def name(self, campaign: str) -> str:
        """Return a campaign's id: the seed keeps two days of one store apart."""
        return f"{campaign}-{self.scene.seed}"

    def after(self, hours: float) -> datetime:
        """Return so many hours after the day's beginning, to the second: interfaces tell no finer times."""
        return (self.start + timedelta(hours=hours)).replace(microsecond=0)

    def story(self, title: str, *, first: bool = False) -> Story:
        """Begin a story."""
        story = Story(title, first=first)
        self.stories.append(story)
        return story

    def send(
        self,
        which: str,
        person: Person,
        outcome: Outcome = "delivered",
        *,
        at: datetime | None = None,
        seen: bool = False,
    ) -> Message:
        """Send somebody a message of a campaign, and note it."""
        if person.phone is None:
            raise ValueError(f"{person.key} has no phone to write to")
        message = self.sendings[which].send(person.phone, outcome, at=at, seen=seen)
        self.facts.messages.append(message)
        self.know(person)
        return message

    def click(self, which: str, message: Message, link: str = "") -> None:
        """Let somebody follow a tracked link: its report tells no time, so it counts when it is handed over."""
        self.sendings[which].click(message, link or f"{self.scene.origin}/?c={message.id}", self.scene.now)

    def browser(
        self,
        story: Story,
        at: datetime,
        *,
        kind: Literal["hellotext", "pixel"] | None = None,
        consent: str | None = None,
    ) -> Browser:
        """Open a browser; where consent was refused, what it tells is no fact for anybody."""
        kind = kind or self.chance.choice(("hellotext", "pixel"))
        made = (HellotextBrowser if kind == "hellotext" else PixelBrowser)(
            story, self.chance, business=self.scene.business, origin=self.scene.origin,
            currency=self.scene.currency, at=at, consent=consent,
        )  # fmt: skip
        if consent != "denied":
            self.facts.visits.append(made.visit)
        return made

    def basket(self, *, sellers: int = 1) -> tuple[Line, ...]:
        """Return what somebody might buy, from one seller or from several."""
        own = [product for product in PRODUCTS if product.seller == "1"]
        lines = [Line(self.chance.choice(own), self.chance.choice((1, 1, 2)))]
        others = sorted({product.seller for product in PRODUCTS} - {"1"})
        lines += [Line(self.chance.choice([p for p in PRODUCTS if p.seller == name])) for name in others[: sellers - 1]]
        return tuple(lines)

    def checkout(self, buyer: Person, at: datetime, lines: tuple[Line, ...] | None = None, **more: Any) -> Checkout:
        """Return a purchase of somebody's; `cart`, `mask`, `utm` and `nameless` as `Checkout` has them."""
        group = f"1{self.chance.randrange(10**11, 10**12)}"
        cart = more.pop("cart", None) or f"{self.chance.getrandbits(128):032x}"
        at = min(at, self.scene.now - timedelta(minutes=1)).replace(microsecond=0)
        return Checkout(group, cart, at, buyer, lines or self.basket(), **more)

    def buy(self, story: Story, checkout: Checkout, *sessions: str, replaces: Purchase | None = None) -> Purchase:
        """Let VTEX take a purchase, approve and invoice it; note what it was."""
        currency, source = self.scene.currency, checkout.utm or (None, None, None)
        values = [checkout.part_value(seller, currency) for seller in checkout.sellers]
        purchase = Purchase(
            checkout.group, checkout.at,
            [Part(order_id, value) for order_id, value in zip(checkout.order_ids, values, strict=True)],
            buyer=None if checkout.nameless else checkout.buyer.key, sessions=sessions, source=source[0],
            campaign=source[2], replaces=replaces.group if replaces else None,
        )  # fmt: skip
        if not checkout.nameless:
            self.know(checkout.buyer)
            self.facts.guests |= set() if checkout.buyer.customer else {checkout.buyer.key}
        told = checkout.description(currency)
        if replaces is not None:
            told["replacedOrderId"] = replaces.parts[0].order_id
        story.add(ShopChange("place_order", (told,)))
        story.add(*(ShopChange("approve_order", (part.order_id,)) for part in purchase.parts))
        self.facts.purchases.append(purchase)
        self.bought.append((purchase, story))
        return purchase

    def know(self, person: Person) -> None:
        """Note under which phone somebody can be written to."""
        if person.phone is not None:
            self.facts.phones[person.key] = person.phone

    def visit_by_machine(self, story: Story, agent: str, campaign: str) -> None:
        """Let a crawler or a messenger's link preview fetch a campaign's link: no figure may show it."""
        session = f"{self.chance.getrandbits(128):032x}"
        utm = {"source": "hellotext", "medium": "whatsapp", "campaign": campaign}
        document = {
            "session": session, "user_parameters": {}, "action": "page.viewed", "utm_params": utm,
            "page": {"url": f"{self.scene.origin}/?utm_campaign={campaign}", "title": "Loja", "path": "/"},
            "tracked_at": self.after(self.chance.uniform(2, 18)).isoformat(timespec="milliseconds"),
        }  # fmt: skip
        headers = {
            "Authorization": f"Bearer {self.scene.business}", "User-Agent": agent, "Origin": self.scene.origin,
        }  # fmt: skip
        story.add(Call("/v1/track/events", document, headers, ("machines",)))

    def _campaign(self, key: str, name: str, channel: Literal["whatsapp", "sms"], at: datetime, price: Price) -> None:
        self.sendings[key] = Sending(self.name(key), name, channel, at, price, self.chance)
