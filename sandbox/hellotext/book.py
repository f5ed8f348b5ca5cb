"""What one business at Hellotext holds: profiles, sessions, events, messages."""

import hashlib
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.hellotext.answers import refused

Document = dict[str, Any]
Clock = Callable[[], float]

_EMAIL: Final = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")
_E164: Final = re.compile(r"^\+[1-9]\d{6,14}$")
_PROPERTY: Final = re.compile(r"^property_by_id\[([^\]]+)\]$")
_NAMES: Final = {
    "first_name": "first_name", "last_name": "last_name", "email": "email", "email[primary]": "email",
    "phone": "phone", "phone[mobile]": "phone", "reference": "reference", "company": "company", "gender": "gender",
    "birthday": "birthday", "address": "address",
}  # fmt: skip
NOT_UNIQUE: Final = "not_unique"
"""The real type's code was cut off in the sources (CONTRACT B6)."""


@dataclass(slots=True)
class Profile:
    """A profile; consent never moves by anything that the API is told (NOTES 3)."""

    id: str
    fields: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)
    state: str = "unconfirmed"
    writes: int = 1
    later: list[tuple[float, str, Any]] = field(default_factory=list)

    def settle(self, now: float) -> None:
        """Let property values arrive: that takes some time after they were given (B1)."""
        for entry in [entry for entry in self.later if entry[0] <= now]:
            self.properties[entry[1]] = entry[2]
            self.later.remove(entry)

    def shown(self, now: float) -> Document:
        """Return it as `GET /profiles/{id}` does."""
        self.settle(now)
        return {"id": self.id, "state": self.state, **self.fields, "lists": self.lists,
                "property_by_id": dict(self.properties)}  # fmt: skip


@dataclass(slots=True)
class Business:
    """One business: a public id for pages, a private token for back ends, and all that it was told.

    Attributes:
        background: seconds after which property values are written.
        forbidden: whether the plan excludes the API: 403 on every write, while reads go on (NOTES 3).
        sessions: browser to profile id; a session exists from its first event on (B2).
        told: bodies by kind (`events`, `acks`, `identifications`, `attribution`), newest last.
        calls: how many calls each route got.
    """

    id: str
    token: str
    clock: Clock = time.time
    background: float = 0.2
    forbidden: bool = False
    profiles: dict[str, Profile] = field(default_factory=dict)
    properties: dict[str, Document] = field(default_factory=dict)
    sessions: dict[str, str | None] = field(default_factory=dict)
    messages: dict[str, Document] = field(default_factory=dict)
    told: dict[str, list[Document]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    deleted: list[str] = field(default_factory=list)
    _holders: dict[tuple[str, Any], Profile] = field(default_factory=dict)
    _numbers: int = 0

    def new_id(self) -> str:
        """Return a short id, as Hellotext's are (`MzYwlE50`)."""
        self._numbers += 1
        return hashlib.sha256(f"{self.id} {self._numbers}".encode()).hexdigest()[:8]

    def note(self, kind: str, body: Document) -> None:
        """Keep what was told."""
        self.told.setdefault(kind, []).append(body)

    def create_profile(self, body: Mapping[str, Any]) -> tuple[Profile, bool]:
        """Create a profile, or match the one with the e-mail or the phone; the second value says whether it is new.

        Raises:
            Refusal: 422.
        """
        fields = read_fields(body)
        found = self.find(fields)
        profile = found or Profile(self.new_id())
        self._write(profile, body, fields)
        self.profiles[profile.id] = profile
        return profile, found is None

    def change_profile(self, id: str, body: Mapping[str, Any]) -> Profile:  # noqa: A002  the wire's name
        """Change some fields.

        Raises:
            Refusal: 404, 422.
        """
        profile = self.profile(id)
        profile.writes += 1
        self._write(profile, body, read_fields(body))
        return profile

    def profile(self, id: str) -> Profile:  # noqa: A002  the wire's name
        """Return a profile.

        Raises:
            Refusal: 404.
        """
        found = self.profiles.get(id)
        if found is None:
            raise refused(404, "not_found", "There is no such profile.", "id")
        return found

    def find(self, fields: Mapping[str, Any]) -> Profile | None:
        """Return the profile that has this e-mail, else the one that has this phone (B1)."""
        for name in ("email", "phone"):
            found = self._holders.get((name, fields.get(name)))
            if found is not None:
                return found
        return None

    def delete_profile(self, profile: Profile) -> None:
        """Delete a profile; its sessions are nobody's again."""
        del self.profiles[profile.id]
        self._let_go(profile)
        self.deleted.append(profile.id)
        self.sessions = {session: None if of == profile.id else of for session, of in self.sessions.items()}

    def see(self, session: object) -> None:
        """Let an event make its session known."""
        if isinstance(session, str) and session not in {"", "undefined", "null"}:
            self.sessions.setdefault(session, None)

    def _write(self, profile: Profile, body: Mapping[str, Any], fields: dict[str, Any]) -> None:
        for name in ("email", "phone"):
            owner = self.find({name: fields.get(name)})
            if owner is not None and owner is not profile:
                raise refused(422, NOT_UNIQUE, f"This {name} is another profile's.", name)
        properties = {found[1]: value for key, value in body.items() if (found := _PROPERTY.match(key))}
        for id_, value in properties.items():
            self._check_property(profile, id_, value)
        self._let_go(profile)
        profile.fields |= fields
        for name in ("email", "phone"):
            if profile.fields.get(name):
                self._holders[name, profile.fields[name]] = profile
        due = self.clock() + self.background
        profile.later += [(due, id_, value) for id_, value in properties.items()]
        profile.lists += [name for name in body.get("lists") or [] if name not in profile.lists]
        if isinstance(body.get("session"), str):
            self.sessions[body["session"]] = profile.id

    def _let_go(self, profile: Profile) -> None:
        for name in ("email", "phone"):
            self._holders.pop((name, profile.fields.get(name)), None)

    def _check_property(self, profile: Profile, id_: str, value: object) -> None:
        known = self.properties.get(id_)
        if known is None:
            raise refused(422, "not_found", "There is no such property.", f"property_by_id[{id_}]")
        if not known["unique"]:
            return
        for other in self.profiles.values():
            other.settle(self.clock())
            if other is profile or other.properties.get(id_) != value:
                continue
            raise refused(422, NOT_UNIQUE, "Another profile has this value.", f"property_by_id[{id_}]")


def read_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a profile's fields in either key style (B1: bracketed keys are literal).

    Raises:
        Refusal: 422 for an e-mail that is none, or a phone that is not E.164.
    """
    fields: dict[str, Any] = {}
    for key, value in body.items():
        name = _NAMES.get(key)
        if name is None or value is None:
            continue
        fields[name] = value.strip().lower() if name == "email" and isinstance(value, str) else value
        if name == "email" and not _EMAIL.match(str(fields[name])):
            raise refused(422, "invalid", "This is no e-mail address.", key)
        if name == "phone" and not _E164.match(str(value)):
            raise refused(422, "invalid", "A phone is written in E.164.", key)
    return fields
