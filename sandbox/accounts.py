"""Accounts: one shop at VTEX, with its business at Hellotext, its key at Infobip, and its people."""

import hashlib
import random
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sandbox.facts import Facts
from sandbox.hellotext.book import Business
from sandbox.infobip.account import Account as InfobipAccount
from sandbox.infobip.reporter import Reporter
from sandbox.life import Shopkeeping
from sandbox.people import COUNTRIES, Country, People, address_document, customer_document
from sandbox.settings import SandboxSettings
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.shop import Shop

_NAME: Final = re.compile(r"^[a-z0-9][a-z0-9-]{0,40}$")


class AccountError(ValueError):
    """The account cannot be made; says why and what to do."""


@dataclass(slots=True)
class Account:
    """A shop and what belongs to it.

    Attributes:
        collector: where the storefront's pages load the pixel from.
        facts: what the scripted days have done, by the name of the store that they were told.
        days: seeds of the days that were played.
    """

    name: str
    country: Country
    currency: str
    shop: Shop
    business: Business
    infobip: InfobipAccount
    keeping: Shopkeeping
    collector: str
    facts: dict[str, Facts] = field(default_factory=dict)
    days: set[int] = field(default_factory=set)


class Accounts:
    """All accounts.

    Attributes:
        shops, businesses, infobip: by account; the stand-ins serve from these.
        hostility: of shops that are made from now on.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._all: dict[str, Account] = {}
        self.reporter = Reporter(seed=settings.seed)
        self.hostility: Hostility = settings.vtex
        self.shops: dict[str, Shop] = {}
        self.businesses: dict[str, Business] = {}
        self.infobip: dict[str, InfobipAccount] = {}
        for number, name in enumerate(settings.accounts):
            country = settings.countries[number] if number < len(settings.countries) else "BR"
            self.open(name, country, settings.customers)

    def __iter__(self) -> Any:
        """Iterate over the accounts in the order in which they were made."""
        return iter(list(self._all.values()))

    def get(self, name: str) -> Account | None:
        """Return an account."""
        return self._all.get(name)

    def open(self, name: str, country: str = "BR", customers: int = 30, currency: str | None = None) -> Account:
        """Make an account, with customers who registered over the past year.

        Raises:
            AccountError: the name is taken or unusable, or the country is not known here.
        """
        if not _NAME.match(name):
            raise AccountError("give an account name of small letters, digits and hyphens, such as acme")
        if name in self._all:
            raise AccountError(f"the account {name} exists already: choose another name")
        if country not in COUNTRIES:
            raise AccountError(f"the country is not known here: choose one of {', '.join(sorted(COUNTRIES))}")
        place, seed = COUNTRIES[country], self._settings.seed
        money = currency or place.currency
        account = Account(
            name, place, money, Shop(name, hostility=self.hostility, currency=money),
            Business(_secret(f"business {name} {seed}")[:8], _secret(f"token {name} {seed}")[:40]),
            InfobipAccount(f"{_secret(f'infobip {name} {seed}')[:32]}-sandbox", self.reporter),
            Shopkeeping(People(name, place, seed)), self._settings.collector,
        )  # fmt: skip
        self._people(account, customers)
        self._all[name], self.shops[name] = account, account.shop
        self.businesses[name], self.infobip[name] = account.business, account.infobip
        return account

    def _people(self, account: Account, count: int) -> None:
        chance, now = random.Random(f"past {account.name} {self._settings.seed}"), datetime.now(UTC)
        for _ in range(count):
            person = account.keeping.people.customer()
            at = (now - timedelta(days=chance.uniform(2, 400))).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
            document = customer_document(person, account.country, chance)
            account.shop.put_customer({**document, "createdIn": at})
            if chance.random() < 0.7:  # noqa: PLR2004  a share
                account.shop.put_address({**address_document(person, account.country, chance), "createdIn": at})
            account.keeping.known.append(person)


def _secret(of: str) -> str:
    return hashlib.sha256(f"sandbox {of}".encode()).hexdigest()
