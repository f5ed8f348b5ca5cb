"""The stand-ins of Hellotext and Infobip, called in this process."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from sandbox.hellotext.api import hellotext
from sandbox.hellotext.book import Business
from sandbox.infobip.account import Account
from sandbox.infobip.api import Infobip
from sandbox.infobip.reporter import Reporter
from sandbox.temper import Temper


@dataclass
class Ticking:
    """A clock that tests move by hand."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Mailbox:
    """Where reports go; answers with the next of `answers`, 200 when there is none."""

    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def __call__(self, url: str, document: dict[str, Any]) -> int:
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.got.append((url, document))
        return status


@contextlib.asynccontextmanager
async def client_of(app: Any, base: str, authorization: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application."""
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": authorization}
    async with httpx.AsyncClient(transport=transport, base_url=f"http://vendor{base}", headers=headers) as client:
        yield client


@pytest.fixture
def clock() -> Ticking:
    """A clock for the business."""
    return Ticking()


@pytest.fixture
def business(clock: Ticking) -> Business:
    """A business that knows nobody."""
    return Business("xy76ks12", "private-token", clock=clock)


@pytest.fixture
def mailbox() -> Mailbox:
    """Where Infobip's reports go."""
    return Mailbox()


@pytest.fixture
async def account(mailbox: Mailbox) -> AsyncIterator[Account]:
    """An account at Infobip that knows nobody."""
    reporter = Reporter(post=mailbox, wait=0.001)
    yield Account("api-key", reporter)
    await reporter.close()


@pytest.fixture
async def private(business: Business) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the private token."""
    async with client_of(hellotext({"acme": business}), "/v1", f"Bearer {business.token}") as client:
        yield client


@pytest.fixture
async def public(business: Business) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the public id."""
    async with client_of(hellotext({"acme": business}), "/v1", f"Bearer {business.id}") as client:
        yield client


@pytest.fixture
async def infobip(account: Account) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the API key; People calls are not limited."""
    temper = Temper(per_second=1000)
    async with client_of(Infobip({"acme": account}, temper), "", f"App {account.key}") as client:
        yield client
