"""How facts are learned: each function joins one record into the tables and returns the orders it may concern.

Nothing is concluded here. An order named once too often is judged for nothing; one left out would stay wrong.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from schemas.clock import DAY_MS
from schemas.personal import normal_customer, normal_phone
from streams.journeys import customers, landings, limits, messages, orders, sessions
from streams.journeys.facts import Facts
from streams.journeys.hashes import Hashes
from streams.journeys.messages import Report
from streams.journeys.reading import Arrival, Told

Learn = Callable[[Facts, str, Mapping[str, Any] | None], "set[str] | None"]
"""How a row of a compacted topic is joined."""


def learn_event(facts: Facts, event: Told) -> set[str]:
    """Join a tracking event: hashes told, a landing, an action on an order or a cart."""
    concerned = _place(facts, event.order, event.placed) if event.order and event.placed else set()
    session = event.session
    if session is None:
        return concerned
    before, day = facts.row(facts.sessions, session), event.at // DAY_MS
    after = sessions.tell(before, event.hashes, day, facts.oldest_day) or before
    if event.landing:
        after = sessions.land(after, event.landing.campaign) or after
    carts = [event.cart] if event.cart else []
    after = sessions.act(after, [event.order] if event.order else [], carts) or after
    landed = event.landing is not None and _land(facts, session, event.landing)
    if after is not None and after is not before:
        concerned |= _change_session(facts, session, before, after, day)
    if landed:
        concerned |= facts.orders_of_session(after)
    if event.order and _refer(facts, "order", event.order, session, day):
        concerned |= facts.orders_named(event.order)
    if event.cart and _refer(facts, "cart", event.cart, session, day):
        concerned |= facts.orders_of_cart(event.cart)
    return concerned


def _change_session(
    facts: Facts, session: str, before: sessions.Row | None, after: sessions.Row | None, day: int
) -> set[str]:
    facts.put(facts.sessions, after, session)
    news = sessions.hashes(after)
    for value in news:
        _date_session(facts, value, session, day)
    became_machine = sessions.is_machine(after) and not sessions.is_machine(before)
    changed = news.keys() != sessions.hashes(before).keys() or sessions.campaigns(after) != sessions.campaigns(before)
    if not (changed or became_machine):
        return set()
    return facts.orders_of_session(after) | (facts.orders_of_session(before) if became_machine else set())


def _date_session(facts: Facts, value: str, session: str, day: int) -> None:
    row = facts.row(facts.hash_sessions, value)
    new = limits.dated(row, session, day, oldest=facts.oldest_day, most=limits.HASH_SESSIONS)
    if new is not None:
        facts.put(facts.hash_sessions, new, value)


def _land(facts: Facts, session: str, landing: Arrival) -> bool:
    before = facts.row(facts.landings, session, landing.campaign)
    row = landings.arrive(before, landing.at, landing.channel, landing.noted)
    if row is not None:
        facts.put(facts.landings, row, session, landing.campaign)
    return row is not None


def _place(facts: Facts, order: str, placed: list[Any]) -> set[str]:
    row = facts.row(facts.orders, order) or {}
    known = orders.stand_in(row)
    if known is not None and known <= placed:
        return set()
    facts.put(facts.orders, {**row, "p": placed}, order)
    return {order}


def _refer(facts: Facts, kind: str, name: str, session: str, day: int) -> bool:
    row = facts.row(facts.references, kind, name) or {}
    known = row.get("s", {})
    new = limits.dated(known, session, day, oldest=0, most=limits.ORDER_SESSIONS)
    if new is not None:
        facts.put(facts.references, {**row, "s": new}, kind, name)
    return new is not None and new.keys() != known.keys()


def learn_customer(facts: Facts, customer: str, row: Mapping[str, Any] | None) -> set[str] | None:
    """Join a row of `vtex.customers`, None where it was erased.

    Returns:
        The orders it may concern; None when a version at least as high was known.
    """
    before = facts.row(facts.customers, customer)
    if row is None:
        if before is not None:
            _move_customer(facts, customer, before["h"], {})
            del facts.customers[facts.key(customer)]
        return set()
    after = customers.change(before, row["version"], customers.hashes(row, facts.known.hash))
    if after is None:
        return None
    facts.put(facts.customers, after, customer)
    old, new = (before["h"] if before else {}), after["h"]
    if old == new:
        return set()
    _move_customer(facts, customer, old, new)
    return _orders_of_hashes(facts, old.keys() | new.keys())


def _move_customer(facts: Facts, customer: str, old: Hashes, new: Hashes) -> None:
    for value in old.keys() - new.keys():
        left = [one for one in facts.row(facts.hash_customers, value) or () if one != customer]
        facts.put(facts.hash_customers, left or None, value)
    for value in new.keys() - old.keys():
        held = facts.row(facts.hash_customers, value) or []
        if held != [limits.TOO_MANY]:
            more = sorted({*held, customer})
            facts.put(facts.hash_customers, more if len(more) <= limits.HASH_CUSTOMERS else [limits.TOO_MANY], value)


def _orders_of_hashes(facts: Facts, values: Iterable[str]) -> set[str]:
    """Return the orders that hold one of these hashes, and those near a session that told one."""
    concerned: set[str] = set()
    for value in values:
        concerned.update(facts.row(facts.hash_orders, value) or ())
        for session in facts.sessions_of_hash(value):
            concerned |= facts.orders_of_session(facts.row(facts.sessions, session))
    return concerned


def learn_report(facts: Facts, message: str, report: Report) -> set[str] | None:
    """Join a report.

    Returns:
        The orders it may concern; None when it was known.
    """
    before = facts.row(facts.messages, message)
    if messages.note(before, report) is None:
        return None
    return _change_message(facts, message, before, messages.join(before, report))


def learn_request(facts: Facts, message: str, request: Mapping[str, Any]) -> set[str]:
    """Join what a request tells of a message: campaign, recipient and channel."""
    before, recipient = facts.row(facts.messages, message), recipient_of(facts, request)
    after = messages.join_request(before, request.get("campaign"), recipient, request.get("channel"))
    return set() if after == before else _change_message(facts, message, before, after)


def recipient_of(facts: Facts, request: Mapping[str, Any]) -> str | None:
    """Return the hash of a request's recipient."""
    return facts.known.hash("phone", normal_phone(request.get("to"), facts.known.connection.country))


def _change_message(facts: Facts, message: str, before: messages.Row | None, after: messages.Row) -> set[str]:
    facts.put(facts.messages, after, message)
    before = before or {}
    recipient: str | None = after.get("r")
    campaign: str | None = after.get("c")
    moved = messages.links(before) != messages.links(after)
    if not (moved or before.get("k") != after.get("k")) or not recipient:
        return set()
    _index_message(facts, message, before, after)
    if not campaign:
        return set()
    recipients = {recipient, before.get("r") or recipient}
    concerned = {order for one in recipients for order in _orders_touched(facts, one, before, after)}
    if moved:
        concerned |= _orders_landed(facts, recipients, {campaign, before.get("c") or campaign})
    return concerned


def _index_message(facts: Facts, message: str, before: messages.Row, after: messages.Row) -> None:
    recipient, campaign = after["r"], after.get("c")
    known = messages.touch_days(before) if before.get("r") == recipient else set()
    for day in messages.touch_days(after) - known:
        _list(facts, message, facts.recipient_days, limits.RECIPIENT_DAY, recipient, day)
    if campaign and (before.get("r"), before.get("c")) != (recipient, campaign):
        _list(facts, message, facts.recipient_campaigns, limits.RECIPIENT_CAMPAIGN, recipient, campaign)


def _list(facts: Facts, message: str, table: Any, most: int, *parts: str | int) -> None:
    known = facts.row(table, *parts) or []
    chosen = limits.choose([*known, message], most)
    if chosen != known:
        facts.put(table, chosen, *parts)


def _orders_touched(facts: Facts, recipient: str, before: messages.Row, after: messages.Row) -> set[str]:
    """Return the recipient's orders that one of the message's touches, as they were or are, may explain."""
    at = [*before.get("k", ()), *after.get("k", ()), *(row["d"] for row in (before, after) if "d" in row)]
    if not at:
        return set()
    first, last = min(at), max(at) + facts.windows.longest
    held = facts.row(facts.hash_orders, recipient) or {}
    return {order for order, placed in held.items() if first <= placed <= last}


def _orders_landed(facts: Facts, recipients: Iterable[str], campaigns: set[str]) -> set[str]:
    """Return the orders near landings that the message may be behind."""
    concerned: set[str] = set()
    for session in {one for recipient in recipients for one in facts.sessions_of_recipient(recipient)}:
        row = facts.row(facts.sessions, session)
        if campaigns.intersection(sessions.campaigns(row)):
            concerned |= facts.orders_of_session(row)
    return concerned


def learn_order(facts: Facts, order: str, row: Mapping[str, Any] | None) -> set[str] | None:
    """Join a row of `vtex.orders`; of one that was erased, let go of what identifies the buyer: its row stands.

    Returns:
        The orders it may concern; None when a version at least as high was known.

    Raises:
        KeyError, ValueError: a field that every order has is missing or unreadable; nothing was written.
    """
    stored = facts.row(facts.orders, order) or {}
    if row is None:
        facts.put(facts.orders, {"gone": 1} if stored else None, order)
        return set()
    before = stored.get("v")
    if before is not None and before["version"] >= row["version"]:
        return None
    user = facts.known.hash("customer", normal_customer(row.get("user_profile_id")))
    after = orders.vtex_facts(row, user)
    facts.put(facts.orders, {name: value for name, value in stored.items() if name != "gone"} | {"v": after}, order)
    for name in after["names"]:
        _own(facts, order, "order", name, "o")
    for cart in orders.carts(after):
        _own(facts, order, "cart", cart, "o")
    if after["replaces"]:
        _own(facts, order, "order", after["replaces"], "r")
    # Under each name that it takes or gives up there may be a stand-in, and orders that replace it.
    names = {*after["names"], *(before["names"] if before else ())}
    replacing = {one for name in names for one in facts.orders_replacing(name)}
    return {order} | names | replacing


def _own(facts: Facts, order: str, kind: str, name: str, place: str) -> None:
    row = facts.row(facts.references, kind, name) or {}
    listed = row.get(place, [])
    if order not in listed:
        facts.put(facts.references, {**row, place: sorted([*listed, order])}, kind, name)


def index_order(facts: Facts, order: str, placed: int, people: Iterable[str]) -> None:
    """Note under each hash of its people that an order is to be judged again when something is learned of it."""
    for value in people:
        held = facts.row(facts.hash_orders, value) or {}
        if held.get(order) != placed:
            new = limits.recent({**held, order: placed}, limits.HASH_ORDERS)
            if new != held:
                facts.put(facts.hash_orders, new, value)
