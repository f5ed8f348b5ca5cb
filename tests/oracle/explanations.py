"""What explains each order (docs/kpis.md, Which touches may explain an order; Which one does; Amounts)."""

from datetime import date
from functools import cache
from typing import Any, NamedTuple

from schemas.clock import to_ms, to_text
from tests.oracle.facts import HOUR, World, group

LAST = "\U0010ffff"
Row = dict[str, Any]


class Touch(NamedTuple):
    kind: str
    at: int
    campaign: str
    message: str | None
    session: str | None
    evidence: str
    day: str


def order_key(touch: Touch) -> Any:
    """Return what sorts the better touch first."""
    names = (touch.message or LAST, touch.session or LAST, touch.campaign, touch.evidence, touch.day)
    return (0 if touch.kind == "click" else 1, -touch.at, *names)


class Oracle:
    """Explains the orders of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.orders: dict[str, Row] = {}
        for row in world.orders:
            if row["version"] >= self.orders.get(row["order"], row)["version"]:
                self.orders[row["order"]] = row
        self.judge = cache(self._judge)

    def names(self, order: str) -> set[str]:
        """Return all names of VTEX's order."""
        row = self.orders[order]
        return {group(order), *(group(name) for name in row["order_ids"])}

    def owner(self, name: str | None) -> str | None:
        """Return VTEX's order of a name."""
        return min((order for order in self.orders if name and group(name) in self.names(order)), default=None)

    def known(self) -> dict[str, Row]:
        """Return VTEX's orders, and the stand-ins of those that VTEX has not told."""
        placed: dict[str, list[Any]] = {}
        for event in self.world.events:
            data = event["data"]
            if data.get("action") == "order.placed" and data.get("order") and data.get("amount_minor") is not None:
                name = group(data["order"])
                if name not in self.orders and self.owner(name) is None:
                    placed.setdefault(name, []).append(
                        (to_ms(data["at"]), data["amount_minor"], data["amount_currency"])
                    )
        found = dict(self.orders)
        for name, of in placed.items():
            at, amount, currency = min(of)
            found[name] = {
                "order": name, "order_ids": [], "created_at": to_text(at), "currency": currency,
                "amount": amount, "state": "placed", "pixel": True,
            }  # fmt: skip
        return found

    def attributions(self) -> dict[str, Row]:
        """Return the row of `attributions` of each order, in the shape of the schema."""
        return {order: self._attribution(order, row) for order, row in self.known().items()}

    def _attribution(self, order: str, row: Row) -> Row:
        world = self.world
        explanation, rule, winner, losers = self.judge(order)
        at = to_ms(row["created_at"])
        amount = row["amount"] - row.get("cancelled", 0)
        previous = self.orders.get(self.owner(row.get("replaces")) or "")
        if previous and previous["currency"] == row["currency"]:
            amount = min(amount, previous["amount"])
        counts = 0 if row["state"] in {"cancelled", "replaced"} else 1
        amount *= counts
        refunded = min(row.get("refunded", 0), amount) * counts
        return {
            "store": world.store.store, "order": order, "explanation": explanation, "rule": rule,
            "campaign": winner.campaign if winner else None,
            "winner": self._document(winner) if winner else None,
            "losers": [self._document(touch) for touch in losers],
            "ordered_at": to_text(at), "order_day": world.day(at), "currency": row["currency"],
            "amount": amount, "refunded": refunded, "net": amount - refunded, "conversions": counts,
            "time_to_conversion": self._bucket(winner, at) if winner else None,
        }  # fmt: skip

    @staticmethod
    def _document(touch: Touch) -> Row:
        return {**touch._asdict(), "at": to_text(touch.at)}

    def _bucket(self, winner: Touch, at: int) -> str:
        days = (date.fromisoformat(self.world.day(at)) - date.fromisoformat(self.world.day(winner.at))).days
        if days <= 0:
            return "same_day"
        return "d1_3" if days <= 3 else "d4_7" if days <= 7 else "d8_30" if days <= 30 else "d30_plus"

    def _in_circle(self, order: str) -> bool:
        seen, at = set(), order
        while True:
            found = self.owner(self.orders[at].get("replaces")) if at in self.orders else None
            if found is None or found in seen:
                return False
            if found == order:
                return True
            seen.add(found)
            at = found

    def _judge(self, order: str) -> tuple[str, str, Touch | None, tuple[Touch, ...]]:
        row = self.known()[order]
        previous = self.owner(row.get("replaces"))
        if previous is not None and not self._in_circle(order):
            explanation, rule, winner, losers = self.judge(previous)
            return explanation, f"replacement:{rule.removeprefix('replacement:')}", winner, losers
        at, store = to_ms(row["created_at"]), self.world.store
        windows = {"click": store.click_window_hours * HOUR, "delivery": store.delivery_window_hours * HOUR}
        found = {touch for touch in self.touches(order, row) if touch.at <= at <= touch.at + windows[touch.kind]}
        ranked = tuple(sorted(found, key=order_key))
        source = ((row.get("marketing") or {}).get("utm_source") or "").strip().lower()
        if source not in {"", "direct", "(direct)", "(none)", "none", "null", "undefined", "hellotext"}:
            return "external", f"external:{source}", None, ranked[:20]
        if not ranked:
            return "none", "no touch in window", None, ()
        return "campaign", ranked[0].kind, ranked[0], ranked[1:21]

    def touches(self, order: str, row: Row) -> set[Touch]:
        """Return all touches that the people and sessions of an order have."""
        world = self.world
        own = {row.get("email_hash"), row.get("phone_hash"), world.hash(row.get("user_profile_id"))} - {None}
        sessions = self._sessions(order, row)
        people = world.people_of(own.union(*(world.told(session) for session in sessions)))
        sessions |= {session for session in world.sessions if world.told(session) & people}
        found = set()
        for session in sessions:
            for campaign in world.landings(session):
                message, day = world.known_message(session, campaign), world.landing_day(session, campaign)
                for at in world.landing_times(session, campaign):
                    found.add(Touch("click", at, campaign, message, session, "landing", day))
        for name, message in world.messages.items():
            if message["recipient"] not in people or not message["campaign"] or not message["reports"]:
                continue
            day, campaign = world.message_day(name), message["campaign"]
            for at in world.times(name, "delivered")[:1]:
                found.add(Touch("delivery", at, campaign, name, None, "report", day))
            for at in world.times(name, "clicked"):
                found.add(Touch("click", at, campaign, name, None, "report", day))
        marketing, at = row.get("marketing") or {}, to_ms(row["created_at"])
        if (marketing.get("utm_source") or "").strip().lower() == "hellotext" and marketing.get("utm_campaign"):
            found.add(Touch("click", at, marketing["utm_campaign"], None, None, "marketing_data", world.day(at)))
        return found

    def _sessions(self, order: str, row: Row) -> set[str]:
        names = {group(order)} if row.get("pixel") else self.names(order)
        found = set()
        for event in self.world.events:
            data = event["data"]
            action = data.get("action") or ""
            acted = action.startswith("order.") and data.get("order") and group(data["order"]) in names
            began = (
                action == "checkout.started"
                and data.get("order_form")
                and (data["order_form"] == row.get("order_form_id"))
            )
            if data.get("session") and (acted or began):
                found.add(data["session"])
        return found
