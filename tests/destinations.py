"""Stand-in destinations for tests: small HTTP services that behave as the contracts say, and badly when asked to.

`StandInHellotext` matches new profiles by e-mail or phone; `StandInInfobip` upserts persons. Both are reached through
`httpx.MockTransport`, so the product's own clients, handlers and agents run whole.
"""

import json
import random
from abc import ABC, abstractmethod
from itertools import count
from typing import Any
from urllib.parse import unquote

import httpx

from streams.calls import handlers
from streams.engine.outbox import OUTBOX, Row, effect_of
from streams.engine.testing import MemoryShard
from streams.stores import Stores

Answer = httpx.Response


class StandIn(ABC):
    """What both have in common: they note every request, and a fault may take a request's answer.

    Attributes:
        requests: (method, path, authorization, body) of each, in order.
        fault: (method or None for all, what is answered instead or raised); such a request is not applied.
        lost: share of requests that are applied and then time out.
    """

    def __init__(self, *, lost: float = 0.0, seed: int = 0) -> None:
        self.requests: list[tuple[str, str, str, object]] = []
        self.fault: tuple[str | None, Answer | Exception] | None = None
        self.lost = lost
        self.random = random.Random(seed)

    def __call__(self, request: httpx.Request) -> Answer:
        body = json.loads(request.content) if request.content else None
        path = unquote(request.url.raw_path.decode())
        self.requests.append((request.method, path, request.headers["authorization"], body))
        if self.fault is not None and self.fault[0] in {None, request.method}:
            if isinstance(self.fault[1], Exception):
                raise self.fault[1]
            return self.fault[1]
        answer = self.answer(request.method, path, body)
        if self.random.random() < self.lost:
            raise httpx.ReadTimeout("applied, and never told", request=request)
        return answer

    @abstractmethod
    def answer(self, method: str, path: str, body: object) -> Answer:
        """Apply a request and answer it."""

    def answers(self, status: int, *, only: str | None = None, **content: Any) -> None:
        """Answer so instead of applying what is asked."""
        self.fault = (only, Answer(status, **content))

    def raises(self, error: Exception) -> None:
        """Have every request end so, unapplied."""
        self.fault = (None, error)

    def heals(self) -> None:
        """Do what is asked again, and answer."""
        self.fault, self.lost = None, 0.0

    def client(self) -> httpx.AsyncClient:
        """Return a client that reaches only this."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self))

    def paths(self) -> list[str]:
        """Return `METHOD path` of every request."""
        return [f"{method} {path}" for method, path, _, _ in self.requests]


class StandInHellotext(StandIn):
    """Profiles, sessions, events and messages (contracts/hellotext CONTRACT part B)."""

    def __init__(self, *, lost: float = 0.0, seed: int = 0) -> None:
        super().__init__(lost=lost, seed=seed)
        self.profiles: dict[str, dict[str, str]] = {}
        self.sessions: dict[str, str] = {}
        self.known_sessions: set[str] | None = None
        self.events: list[dict[str, object]] = []
        self.messages: dict[str, str] = {}

    def answer(self, method: str, path: str, body: dict) -> Answer:
        kind, _, rest = path.removeprefix("/v1/").partition("/")
        return getattr(self, f"_{kind}")(method, rest, body)

    def _profiles(self, method: str, profile: str, body: dict) -> Answer:
        if method == "POST":
            free = (name for name in map("P{}".format, count(1)) if name not in self.profiles)
            profile = self._match(body) or next(free)
            self.profiles.setdefault(profile, {}).update(body)
            return Answer(201, json={"id": profile})
        if profile not in self.profiles:
            return Answer(404, json={"errors": [{"type": "not_found", "parameter": "id"}]})
        if method == "PATCH":
            owner = self._match(body)
            if owner not in {None, profile}:
                return Answer(422, json={"errors": [{"type": "not_unique", "parameter": "email"}]})
            self.profiles[profile].update(body)
        elif method == "DELETE":
            del self.profiles[profile]
            return Answer(200, json={})
        return Answer(200, json={"id": profile, **self.profiles[profile]})

    def _match(self, body: dict) -> str | None:
        for key in ("email[primary]", "phone[mobile]"):
            for profile, fields in self.profiles.items():
                if body.get(key) and fields.get(key) == body[key]:
                    return profile
        return None

    def _sessions(self, method: str, session: str, body: dict) -> Answer:
        if self.known_sessions is not None and session not in self.known_sessions:
            return Answer(404, json={"errors": [{"type": "not_found"}]})
        self.sessions[session] = body["profile"]
        return Answer(200, json={"id": session, "profile": 17})

    def _track(self, method: str, rest: str, body: dict) -> Answer:
        self.events.append(body)
        return Answer(200, json={"status": "received"})

    _public = _track

    def _messages(self, method: str, message: str, body: dict) -> Answer:
        if method == "POST":
            message = f"M{len(self.messages) + 1}"
            self.messages[message] = "pending"
            return Answer(200, json={"status": "received", "id": message})
        return Answer(200, json={"id": message, "state": self.messages[message]})


class StandInInfobip(StandIn):
    """Persons and messages (contracts/infobip CONTRACT 2, 5, 6)."""

    def __init__(self, *, lost: float = 0.0, seed: int = 0) -> None:
        super().__init__(lost=lost, seed=seed)
        self.persons: dict[str, dict] = {}
        self.sent: list[dict] = []
        self.group = 1
        self.errors: dict[str, int] = {}
        self.poison: set[str] = set()

    def answer(self, method: str, path: str, body: dict) -> Answer:
        if path.startswith("/people/3/persons/upsert"):
            if self.poison & {person["externalId"] for person in body["persons"]}:
                return Answer(400, json={"code": 400104, "message": "secret", "details": []})
            return self._upsert(body["persons"])
        if method == "DELETE":
            self.persons.pop(dict(httpx.QueryParams(path.partition("?")[2]))["identifier"], None)
            return Answer(200, json={})
        if path.startswith("/sms/3/logs"):
            wanted = httpx.QueryParams(path.partition("?")[2])["messageId"]
            found = [sms for sms in self.sent if sms["destinations"][0]["messageId"] == wanted]
            return Answer(200, json={"results": [{"messageId": wanted, "status": {"groupId": 3}} for _ in found]})
        self.sent += body.get("messages", [body])
        status = {"groupId": self.group, "name": "PENDING_ACCEPTED" if self.group == 1 else "REJECTED_NETWORK"}
        return Answer(200, json={"messages": [{"messageId": "m", "status": status}]})

    def _upsert(self, persons: list[dict]) -> Answer:
        results, errors = [], []
        for index, person in enumerate(persons):
            code = self.errors.get(person["externalId"])
            if code is not None:
                place = "persons[0].contactInformation[0].identifier"
                errors.append({"code": code, "message": "secret", "details": [{"property": place}], "index": index})
                continue
            status = "UPDATED" if person["externalId"] in self.persons else "CREATED"
            self.persons.setdefault(person["externalId"], {}).update(person)
            results.append({"id": 1000 + index, "index": index, "status": status})
        return Answer(207, json={"results": results, "errors": errors})


class Calls:
    """Makes the effects of a shard in memory, as the effect runner does after each commit."""

    def __init__(self, shard: MemoryShard, stores: Stores, http: httpx.AsyncClient) -> None:
        self.shard = shard
        self.handlers = handlers(stores, http)
        self.statuses: list[str] = []

    async def once(self) -> int:
        """Make every call that is due, the first of each lane; return how many."""
        due = [row for row in self._heads() if row["not_before"] <= self.shard.now]
        for row in due:
            effect = effect_of(row)
            outcome = await self.handlers[effect.kind](effect)
            self.statuses.append(outcome.status)
            await self.shard.outcome(outcome.model_copy(update={"attempt": row["attempt"]}))
        return len(due)

    async def settle(self, turns: int = 400) -> None:
        """Make calls, moving the clock to what is due next, until none waits."""
        for _ in range(turns):
            while await self.once():
                pass
            heads = self._heads()
            if not heads:
                return
            self.shard.now = max(self.shard.now, min(row["not_before"] for row in heads))
        raise AssertionError(f"effects still wait after {turns} turns: {self.shard.effects()[:3]}")

    def _heads(self) -> list[Row]:
        heads: dict[tuple[str, str], Row] = {}
        for row in sorted(self.shard.table(OUTBOX).values(), key=lambda row: row["seq"]):
            heads.setdefault((row["effect"]["destination"], row["effect"]["key"]), row)
        return list(heads.values())
