"""A million customers at once: each document is a function of its number, and needs no memory until it changes.

shop = Shop("acme")
fill(shop, 1_000_000)
shop.put_customer({"id": customer_id(shop, 17), "firstName": "Ana"})
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.vtex.clock import DAY, SECOND, iso
from sandbox.vtex.fields import address_fields, customer_fields
from sandbox.vtex.generated import GeneratedRow
from sandbox.vtex.rows import Document
from sandbox.vtex.shop import Shop

_MASK: Final = (1 << 64) - 1
_FIRST: Final = ("Ana", "Bruno", "Carla", "Diego", "Elena", "Fábio", "Gabriela", "Heitor", "Inês", "João", "Karina",
                 "Lucas", "Mariana", "Nuno", "Olívia", "Paulo", "Rafaela", "Sérgio", "Tainá", "Vitor")  # fmt: skip
_PLAIN: Final = ("ana", "bruno", "carla", "diego", "elena", "fabio", "gabriela", "heitor", "ines", "joao", "karina",
                 "lucas", "mariana", "nuno", "olivia", "paulo", "rafaela", "sergio", "taina", "vitor")  # fmt: skip
_LAST: Final = ("Almeida", "Barbosa", "Costa", "Dias", "Esteves", "Ferreira", "Gomes", "Lima", "Moreira", "Nunes",
                "Oliveira", "Pereira", "Ramos", "Silva", "Teixeira", "Vieira")  # fmt: skip
_CITIES: Final = (("São Paulo", "SP"), ("Rio de Janeiro", "RJ"), ("Curitiba", "PR"), ("Salvador", "BA"))
_CUSTOMER: Final[Document] = dict.fromkeys(customer_fields())
_ADDRESS: Final[Document] = dict.fromkeys(address_fields())


def _mixed(number: int) -> int:
    """Return 64 well mixed bits of a number (the finaliser of splitmix64)."""
    mixed = (number + 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)


@dataclass(frozen=True, slots=True)
class Times:
    """When `count` documents were created: evenly from `first` on; every second one was changed `change` later.

    Attributes:
        step: ticks from one creation to the next.
        alike: so many documents in a row share their times.
    """

    count: int
    first: int
    step: int
    change: int
    alike: int = 1

    def created(self, number: int) -> int:
        """Return the ticks of `createdIn`."""
        return self.first + number // self.alike * self.alike * self.step

    def updated(self, number: int) -> int | None:
        """Return the ticks of `updatedIn`: none for even numbers."""
        return self.created(number) + self.change if number & 1 else None


@dataclass(frozen=True, slots=True)
class _Numbered:
    """What customers and addresses share: an id that carries the number."""

    account: str
    account_id: str
    times: Times
    salt: int
    kind: str

    def __len__(self) -> int:
        return self.times.count

    @property
    def touched(self) -> range:
        """The numbers that have an `updatedIn`."""
        return range(1, self.times.count, 2)

    def created(self, number: int) -> int:
        """Return the ticks of `createdIn`."""
        return self.times.created(number)

    def updated(self, number: int) -> int | None:
        """Return the ticks of `updatedIn`."""
        return self.times.updated(number)

    def bits(self, number: int) -> int:
        """Return what a document's fields are drawn from."""
        return _mixed(number ^ self.salt)

    def id(self, number: int, bits: int | None = None) -> str:
        """Return an id that looks like any other."""
        bits = self.bits(number) if bits is None else bits
        return f"{number:08x}-{bits & 0xFFFF:04x}-11f0-{self.kind}{bits >> 16 & 0xFFF:03x}-{bits >> 16:012x}"

    def number(self, key: str) -> int | None:
        """Return the number that an id carries, when it is one of these."""
        try:
            number = int(key[:8], 16)
        except ValueError:
            return None
        return number if number < self.times.count and self.id(number) == key else None

    def internal(self, number: int, bits: int, acronym: str) -> Document:
        """Return the fields that every document has."""
        created, updated = self.created(number), self.updated(number)
        changed = None if updated is None else iso(updated)
        made, by = iso(created), "c83ea7ed-f875-4a10-b0a0-98d96aedab06"
        return {
            "id": self.id(number, bits), "accountId": self.account_id, "accountName": self.account,
            "dataEntityId": acronym, "createdBy": by, "createdIn": made, "updatedBy": changed and by,
            "updatedIn": changed, "lastInteractionBy": by, "lastInteractionIn": changed or made,
            "followers": [], "tags": [],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Customers(_Numbered):
    """CL: names, an e-mail that carries the number, a phone in one of two fields and three spellings, or none."""

    def row(self, number: int) -> GeneratedRow:
        """Return the document as search sees it."""
        return GeneratedRow(self, number)

    def user_id(self, number: int, bits: int | None = None) -> str:
        """Return `userId`, which is another than the id."""
        bits = self.bits(number) if bits is None else bits
        return f"{number:08x}-{bits >> 48:04x}-4000-8000-{bits & 0xFFFFFFFFFFFF:012x}"

    def email(self, number: int, bits: int | None = None) -> str:
        """Return the address."""
        bits = self.bits(number) if bits is None else bits
        return f"{_PLAIN[bits % len(_PLAIN)]}.{number}@{self.account}.example"

    def lookup(self, field: str, text: str) -> int | None:
        """Return the number whose id, userId or e-mail this is."""
        if field == "id":
            return self.number(text)
        digits = text[:8] if field == "userId" else text.partition("@")[0].rpartition(".")[2]
        try:
            number = int(digits, 16 if field == "userId" else 10)
        except ValueError:
            return None
        known = self.user_id if field == "userId" else self.email
        return number if 0 <= number < self.times.count and known(number) == text else None

    def document(self, number: int) -> Document:
        """Return the whole document."""
        bits = self.bits(number)
        phone = _phone(number, bits)
        at_home = bits & 3 != 0
        return {
            **_CUSTOMER, **self.internal(number, bits, "CL"), "userId": self.user_id(number, bits),
            "email": self.email(number, bits),
            "firstName": _FIRST[bits % len(_FIRST)], "lastName": _LAST[(bits >> 8) % len(_LAST)],
            "homePhone": phone if at_home else None, "phone": None if at_home else phone,
            "documentType": "cpf", "document": f"{bits % 10**11:011}", "isCorporate": False,
            "isNewsletterOptIn": (True, False, None)[bits % 3], "localeDefault": "pt-BR",
            "birthDate": f"{1950 + bits % 55}-{1 + bits % 12:02}-{1 + bits % 28:02}T00:00:00Z",
            "gender": ("female", "male", None)[(bits >> 5) % 3],
        }  # fmt: skip


def _phone(number: int, bits: int) -> str | None:
    """Return a phone as people type it; one in sixteen has none."""
    if bits >> 4 & 15 == 0:
        return None
    local = f"119{60_000_000 + number:08}"
    return (f"+55{local}", local, f"({local[:2]}) {local[2:7]}-{local[7:]}", f"+55{local}")[bits >> 9 & 3]


@dataclass(frozen=True, slots=True)
class Addresses(_Numbered):
    """AD: one address for each of the first customers; `userId` is the customer document's id (NOTES 2.5)."""

    owners: Customers

    def row(self, number: int) -> GeneratedRow:
        """Return the document as search sees it."""
        return GeneratedRow(self, number)

    def lookup(self, field: str, text: str) -> int | None:
        """Return the number whose id this is, or whose owner's id."""
        if field == "id":
            return self.number(text)
        number = self.owners.number(text) if field == "userId" else None
        return number if number is not None and number < self.times.count else None

    def document(self, number: int) -> Document:
        """Return the whole document."""
        bits = self.bits(number)
        city, state = _CITIES[bits % len(_CITIES)]
        return {
            **_ADDRESS, **self.internal(number, bits, "AD"), "userId": self.owners.id(number),
            "addressName": f"casa{number}", "addressType": "residential", "country": "BRA", "city": city,
            "state": state, "street": "Rua das Flores", "number": str(1 + bits % 2000),
            "postalCode": f"{bits % 10**8:08}",
            "neighborhood": "Centro",
            "receiverName": _FIRST[bits % len(_FIRST)],
        }  # fmt: skip


def fill(
    shop: Shop, customers: int, *, addresses: int = 0, days: float = 730.0, until: int | None = None, alike: int = 1
) -> None:
    """Give an empty shop so many customers, created evenly over the last `days`, half of them changed since.

    Args:
        shop: has neither customers nor addresses yet.
        customers: how many.
        addresses: how many of them have an address.
        days: over which they came.
        until: ticks after which nothing was created or changed; an hour ago by default.
        alike: so many customers in a row have equal timestamps.

    Raises:
        ValueError: when the shop has documents already.
    """
    end = shop.clock() - 3600 * SECOND if until is None else until
    change = round(days * DAY / 20)
    step = max(1, (round(days * DAY) - change) // max(customers, 1))
    first = end - change - step * customers
    seed = shop.hostility.seed
    times = Times(customers, first, step, change, alike)
    account_id = f"5f1fe23b-9fd1-417d-a4aa-{shop.account.encode().hex()[:12]:0>12}"
    made = Customers(shop.account, account_id, times, _mixed(seed), "8")
    shop.customers.generate(made)
    if addresses:
        homes = Times(min(addresses, customers), first, step, change, alike)
        shop.addresses.generate(Addresses(shop.account, account_id, homes, _mixed(seed + 1), "9", made))


def customer_id(shop: Shop, number: int) -> str:
    """Return the id of a generated customer."""
    return str(shop.customers.generated.row(number).document["id"])


def change_some(shop: Shop, numbers: Sequence[int], **fields: Any) -> None:
    """Change generated customers, each in its own first name, or in the given fields."""
    for number in numbers:
        shop.put_customer({"id": customer_id(shop, number), **(fields or {"firstName": f"Novo {number}"})})
