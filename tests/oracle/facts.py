"""Everything that was told of a shop, as one set, and what docs/kpis.md says of people, messages and landings.

An oracle: it looks at all facts at once, as often as it likes, and imports nothing but schemas.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas.clock import local_day, to_ms
from schemas.personal import hash_value, normal_customer, normal_phone
from schemas.stores import StoreConnection

HOUR = 3_600_000
Row = dict[str, Any]


def group(name: str) -> str:
    """Return the order that a reference names."""
    return name[:-3] if len(name) > 3 and name[-3] == "-" and name[-2:].isdigit() else name


@dataclass
class World:
    """All inputs, in no order; hashes are keyed with `secret`."""

    store: StoreConnection
    secret: bytes
    events: list[Row] = field(default_factory=list)
    reports: list[Row] = field(default_factory=list)
    requests: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    campaigns: list[Row] = field(default_factory=list)

    def day(self, at: int) -> str:
        """Return the local day of an instant."""
        return local_day(at, self.store.timezone).isoformat()

    def hash(self, value: str | None) -> str | None:
        """Return the hash of a customer id."""
        normal = normal_customer(value)
        return hash_value(self.secret, "customer", normal) if normal else None

    @cached_property
    def customer_hashes(self) -> dict[str, set[str]]:
        """Return each customer's hashes, of its highest version; none of a provisional one that was replaced."""
        best: dict[str, Row] = {}
        for row in self.customers:
            if row["version"] >= best.get(row["customer"], row)["version"]:
                best[row["customer"]] = row
        return {
            name: {row.get("email_hash"), row.get("phone_hash"), self.hash(name), self.hash(row.get("user_id"))}
            - {None}
            for name, row in best.items()
            if not row.get("replaced_by")
        }

    @cached_property
    def sessions(self) -> dict[str, Row]:
        """Return each session: hashes told (by kind), landings (campaign to times)."""
        found: dict[str, Row] = {}
        for event in self.events:
            data = event["data"]
            if not data.get("session"):
                continue
            session = found.setdefault(data["session"], {"told": set(), "noted": {}, "seen": {}})
            for kind in ("email_hash", "phone_hash", "customer_hash"):
                if data.get(kind):
                    session["told"].add((kind, data[kind]))
            if landing := data.get("landing"):
                place = "noted" if landing.get("observed_at") else "seen"
                session[place].setdefault(landing["campaign"], []).append(landing)
        return found

    def told(self, session: str) -> set[str]:
        """Return the hashes told in a session."""
        return {value for _, value in self.sessions.get(session, {"told": ()})["told"]}

    def landing_times(self, session: str, campaign: str) -> list[int]:
        """Return the times of a landing."""
        row = self.sessions[session]
        if noted := row["noted"].get(campaign):
            names = {landing["observed_at"] for landing in noted}
            return sorted({min(to_ms(one["at"]) for one in noted if one["observed_at"] == name) for name in names})
        return [min(to_ms(one["at"]) for one in row["seen"][campaign])] if campaign in row["seen"] else []

    def landings(self, session: str) -> list[str]:
        """Return the campaigns from which a session landed."""
        row = self.sessions.get(session)
        return sorted({*row["noted"], *row["seen"]}) if row else []

    def identified(self, hashes: set[str]) -> list[str]:
        """Return the customers that have one of these hashes."""
        return sorted(name for name, own in self.customer_hashes.items() if own & hashes)

    def people_of(self, hashes: set[str]) -> set[str]:
        """Return hashes with those of the customers that they identify."""
        return hashes.union(*(self.customer_hashes[name] for name in self.identified(hashes)))

    @cached_property
    def messages(self) -> dict[str, Row]:
        """Return each message that something tells of: its reports (each once), campaign, recipient, channel."""
        found: dict[str, Row] = {}
        for event in self.reports:
            row = found.setdefault(event["data"]["message"], {"reports": {}, "requests": []})
            row["reports"][event["id"]] = {**event["data"], "at": to_ms(event["data"]["at"]), "id": event["id"]}
        for request in self.requests:
            row = found.setdefault(request["message"], {"reports": {}, "requests": []})
            phone = normal_phone(request["to"], self.store.country)
            recipient = hash_value(self.secret, "phone", phone) if phone else None
            row["requests"].append({**request, "recipient": recipient})
        for row in found.values():
            row["reports"] = list(row["reports"].values())
            for name in ("campaign", "recipient", "channel"):
                told = [one[name] for one in (*row["reports"], *row["requests"]) if one.get(name)]
                row[name] = min(told, default=None)
        return found

    def times(self, message: str, *statuses: str) -> list[int]:
        """Return when a message was reported so, each time once; any report when no status is given."""
        reports = self.messages[message]["reports"]
        return sorted({report["at"] for report in reports if not statuses or report["status"] in statuses})

    def message_day(self, message: str) -> str:
        """Return the day on which a message counts."""
        return self.day((self.times(message, "delivered") or self.times(message))[0])

    def sent(self, campaign: str) -> list[str]:
        """Return a campaign's messages that have a report."""
        return [name for name, row in self.messages.items() if row["campaign"] == campaign and row["reports"]]

    def known_message(self, session: str, campaign: str) -> str | None:
        """Return the message that brought a landing."""
        landed = self.landing_times(session, campaign)[0]
        people = self.people_of(self.told(session))
        candidates = [name for name in self.sent(campaign) if self.messages[name]["recipient"] in people]
        before = [name for name in candidates if (self.times(name, "delivered") or [landed + 1])[0] <= landed]
        if before:
            latest = max(self.times(name, "delivered")[0] for name in before)
            return min(name for name in before if self.times(name, "delivered")[0] == latest)
        return min(candidates, key=lambda name: (self.times(name)[0], name), default=None)

    def landing_day(self, session: str, campaign: str) -> str:
        """Return the day on which a landing counts."""
        message = self.known_message(session, campaign)
        return self.message_day(message) if message else self.day(self.landing_times(session, campaign)[0])

    def visitor(self, session: str) -> str:
        """Return who visits in a session."""
        if customers := self.identified(self.told(session)):
            return customers[0]
        for kind in ("email_hash", "phone_hash", "customer_hash"):
            if values := [value for of, value in self.sessions[session]["told"] if of == kind]:
                return str(min(values))
        return f"session {session}"
