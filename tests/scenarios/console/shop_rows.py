"""Rows as a shop's life would leave them in the topics: seeded, consistent to the last cent.

    for row in shop_rows(store="acme"): topic, key, value = row

Orders are drawn first; every cell is the sum of the orders and messages behind it, so that a page may be held to it.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from schemas import topics
from schemas.fates import DeadLetter, FateSummary, Uncounted
from schemas.kpis import Attribution, CampaignKpis, Touch
from schemas.messages import Campaign
from schemas.model import Model
from schemas.money import micros_to_minor
from schemas.profiles import DestinationState, ProfileState, Reach
from schemas.topics import Topic
from schemas.vtex import Cursor
from tests.stores import a_store

NAMES = (
    ("black-friday-wpp", "Black Friday: 48 h antes de todo mundo", "whatsapp"),
    ("cart-24h", "Carrinho abandonado, 24 h", "whatsapp"),
    ("natal-2026", "Natal antecipado", "sms"),
    (
        "winback-90",
        "Saudades de você: clientes há 90 dias sem comprar, com cupom de 10 % e frete grátis acima de R$ 199",
        "whatsapp",
    ),
    ("launch-linho", "Lançamento coleção linho", "whatsapp"),
    ("aniversario", "Aniversariantes do mês", "sms"),
    ("reposicao", "Reposição: skincare", "whatsapp"),
    ("vip-preview", "VIP preview", "whatsapp"),
    ("frete-gratis", "Frete grátis no domingo", "sms"),
    ("instagram-bio", "", None),
)
BUCKETS = ("same_day", "d1_3", "d4_7", "d8_30", "d30_plus")


class Row(NamedTuple):
    """A record to be: topic, key, value."""

    topic: Topic
    key: bytes
    value: bytes


def row(topic: Topic, store: str, *parts: str | int, value: Model) -> Row:
    """Return a row of a topic."""
    return Row(topic, topic.key(store, *parts), value.model_dump_json().encode())


def shop_rows(
    store: str = "acme", *, seed: int = 7, now: datetime | None = None, campaigns: int = 10, customers: int = 4000,
    backfilling: bool = False, **connection: Any,
) -> Iterator[Row]:  # fmt: skip
    """Yield a store's rows of every topic that the console reads."""
    chance, at = random.Random(seed), now or datetime.now(UTC)
    yield row(topics.STORES, store, value=a_store(store, **connection))
    for number in range(campaigns):
        yield from _campaign(store, chance, at, _named(number))
    yield from _others(store, chance, at)
    yield from _customers(store, chance, at, customers)
    yield from _cursors(store, at, backfilling=backfilling)
    yield from _fates(store, chance, at)
    yield from _letters(store, at)


def _named(number: int) -> tuple[str, str, str | None]:
    campaign, name, channel = NAMES[number % len(NAMES)]
    again = number // len(NAMES)
    if again:
        return f"{campaign}-{again}", f"{name or 'Instagram'} ({again + 1})", channel
    return campaign, name, channel


def _campaign(store: str, chance: random.Random, at: datetime, named: tuple[str, str, str | None]) -> Iterator[Row]:
    campaign, name, channel = named
    day = (at - timedelta(days=chance.randint(1, 27))).date()
    known = channel is not None
    if known:
        value = Campaign(store=store, campaign=campaign, name=name, channel=channel, day=day)
        yield row(topics.CAMPAIGNS, store, campaign, value=value)
    orders = [
        _order(chance, at, number, store=store, campaign=campaign, day=day) for number in range(chance.randint(4, 70))
    ]
    for order in orders:
        yield row(topics.ATTRIBUTIONS, store, order.order, value=order)
    sent = chance.randint(900, 9000) if known else None
    cost = sent * chance.choice((48_000, 210_000)) if sent and campaign != "aniversario" else None
    for basis, when, of, more in _groups(day, orders, _told(chance, len(orders), sent, cost)):
        cell = cell_of(store, campaign, basis, when, orders=of, at=at, told=more)
        yield row(topics.KPI_CAMPAIGNS, store, campaign, basis, when, "BRL", value=cell)


def _order(chance: random.Random, at: datetime, number: int, *, store: str, campaign: str, day: date) -> Attribution:
    touched = datetime(day.year, day.month, day.day, 13, 5, tzinfo=UTC) + timedelta(minutes=chance.randint(0, 400))
    ordered = min(touched + timedelta(hours=chance.expovariate(1 / 20)), at)
    click = chance.random() < 0.7
    cancelled = chance.random() < 0.06
    amount = 0 if cancelled else chance.randint(5_900, 64_900)
    refunded = chance.randint(1000, amount) if amount and chance.random() < 0.08 else 0
    touch = Touch(
        kind="click" if click else "delivery", campaign=campaign, at=min(touched, ordered),
        message=None if click and number % 2 else f"msg-{number:05d}", session=f"s-{chance.getrandbits(40):010x}",
        evidence="landing" if click and number % 2 else "report", day=day.isoformat(),
    )  # fmt: skip
    loser = touch.model_copy(update={"kind": "delivery", "campaign": "cart-24h", "at": touch.at - timedelta(hours=3)})
    days = (ordered.date() - day).days
    return Attribution(
        store=store, order=f"{13_000_000_000_00 + chance.getrandbits(36)}-01", explanation="campaign", rule=touch.kind,
        campaign=campaign, winner=touch, losers=(loser,) if chance.random() < 0.3 else (), ordered_at=ordered,
        order_day=ordered.date().isoformat(), currency="BRL", amount=amount, refunded=refunded, net=amount - refunded,
        conversions=0 if cancelled else 1,
        time_to_conversion=BUCKETS[0 if days < 1 else 1 if days < 4 else 2 if days < 8 else 3],
    )  # fmt: skip


def _told(chance: random.Random, orders: int, sent: int | None, cost: int | None) -> dict[str, Any]:
    delivered = None if sent is None else int(sent * 0.94)
    clicks = max(orders, int((delivered or 90) * chance.uniform(0.03, 0.15)))
    return {
        "sent": sent, "delivered": delivered, "failed": None if sent is None else sent - (delivered or 0) - 3,
        "seen": None if sent is None else int(sent * 0.6), "clicks": clicks, "engaged": int(clicks * 0.9),
        "visitors": int(clicks * 0.8), "cost_micros": cost,
    }  # fmt: skip


def _groups(
    day: date, orders: list[Attribution], told: dict[str, Any]
) -> Iterator[tuple[str, str, list[Attribution], dict[str, Any]]]:
    yield "total", "all", orders, told
    yield "delivery", day.isoformat(), orders, told
    by_day: defaultdict[str, list[Attribution]] = defaultdict(list)
    for order in orders:
        by_day[order.order_day].append(order)
    for when, of in by_day.items():
        yield "purchase", when, of, {}


def cell_of(
    store: str, campaign: str, basis: Any, when: str, *, orders: list[Attribution], at: datetime, told: dict[str, Any]
) -> CampaignKpis:
    """Return the cell of some orders and what else is known."""
    conversions = sum(order.conversions for order in orders)
    net = sum(order.net for order in orders)
    delivered, cost = told.get("delivered"), told.get("cost_micros")
    minor = float(micros_to_minor(cost, "BRL")) if cost else None
    times: dict[Any, int] = defaultdict(int)
    for order in orders:
        times[order.time_to_conversion] += order.conversions
    return CampaignKpis(
        store=store, campaign=campaign, basis=basis, date=when, currency="BRL", conversions=conversions,
        revenue=sum(order.amount for order in orders), refunded=sum(order.refunded for order in orders), net=net,
        ctr=told["engaged"] / delivered if delivered else None,
        conversion_rate=conversions / delivered if delivered else None,
        revenue_per_message=net / delivered if delivered else None,
        average_order_value=net / conversions if conversions else None,
        roas=net / minor if minor else None, roi=(net - minor) / minor if minor else None,
        time_to_conversion=dict(times), updated_at=at, **told,
    )  # fmt: skip


def _others(store: str, chance: random.Random, at: datetime) -> Iterator[Row]:
    for number in range(260):
        external = chance.random() < 0.45
        amount = chance.randint(4_900, 39_900)
        ordered = at - timedelta(hours=chance.randint(1, 600))
        value = Attribution(
            store=store, order=f"o-{number}", explanation="external" if external else "none",
            rule="external:google" if external else "no touch in window", ordered_at=ordered,
            order_day=ordered.date().isoformat(), currency="BRL", amount=amount, net=amount, conversions=1,
        )  # fmt: skip
        yield row(topics.ATTRIBUTIONS, store, value.order, value=value)


def _customers(store: str, chance: random.Random, at: datetime, count: int) -> Iterator[Row]:
    states = ("synced",) * 90 + ("pending",) * 5 + ("unreachable",) * 4 + ("uncertain",)
    for number in range(count):
        value = ProfileState(
            store=store, customer=f"c{number}", reach=Reach(sms=chance.random() < 0.9, whatsapp=chance.random() < 0.72),
            destinations={
                name: DestinationState(state=chance.choice(states), revision=1, fingerprint="f", updated_at=at)
                for name in ("hellotext", "infobip")
            },
            shared_with=("c1",) if number % 997 == 5 else (),
        )  # fmt: skip
        yield row(topics.PROFILES, store, value.customer, value=value)


def _cursors(store: str, at: datetime, *, backfilling: bool) -> Iterator[Row]:
    def cursor(resource: str, back: int, **position: Any) -> Row:
        value = Cursor(store=store, resource=resource, position=position, updated_at=at - timedelta(seconds=back))
        return row(topics.VTEX_CURSORS, store, resource, value=value)

    yield cursor("customers", 8, followed_to="2026-11-26T08:00:00Z")
    yield cursor("addresses", 11)
    if backfilling:
        yield cursor("customers.backfill", 2, done=548_211, total=1_204_331, rate=2_437.0, left_s=269.2)
        yield cursor("orders.backfill", 1, done=11_410, total=38_400, rate=61.8, left_s=436.7)
    else:
        yield cursor("customers.backfill", 4000, done=4_000, total=4_000, finished=True)
    yield cursor("orders", 5)


def _fates(store: str, chance: random.Random, at: datetime) -> Iterator[Row]:
    places: defaultdict[str, int] = defaultdict(int)
    agents = (
        ("tracking", topics.PIXEL_EVENTS), ("customers", topics.VTEX_CHANGES), ("orders", topics.VTEX_CHANGES),
        ("attribution", topics.TRACKING_EVENTS), ("kpis", topics.ATTRIBUTIONS),
    )  # fmt: skip
    for number in range(120):
        agent, topic = chance.choice(agents)
        size, first = chance.randint(1, 90), places[topic.name]
        places[topic.name] += size
        odd = agent == "tracking" and chance.random() < 0.6
        reasons: tuple[tuple[Any, str | None], ...] = (("duplicate", None), ("filtered", "bot: WhatsApp link preview"))
        uncounted = tuple(
            Uncounted(id=f"019ad{chance.getrandbits(76):019x}", offset=first + place, fate=fate, reason=reason)
            for place, (fate, reason) in enumerate(reasons[: chance.randint(1, 2)] if odd and size > 2 else ())
        )
        counts: dict[Any, int] = {"counted": size - len(uncounted)}
        for each in uncounted:
            counts[each.fate] = counts.get(each.fate, 0) + 1
        value = FateSummary(
            store=store, agent=agent, topic=topic.name, partition=2, first_offset=first, last_offset=first + size - 1,
            counts=counts, uncounted=uncounted, at=at - timedelta(seconds=(120 - number) * 2),
        )  # fmt: skip
        yield row(topics.EVENT_FATES, store, topic.name, value.last_offset, value=value)


def _letters(store: str, at: datetime) -> Iterator[Row]:
    for number, (step, reason) in enumerate((
        ("collector", "unreadable report: `doneAt` is no instant"), ("tracking", "currency without an amount"),
    )):  # fmt: skip
        value = DeadLetter(
            store=store, letter=f"{step}-{number}", step=step, reason=reason, topic="pixel.events", partition=2,
            offset=4211 + number, value="c2VjcmV0IGNvbnRlbnQ=", at=at - timedelta(hours=number + 1),
        )  # fmt: skip
        yield row(topics.DEAD_LETTERS, store, value.letter, value=value)
