"""Seeded shoppers, and the documents by which VTEX knows them (contracts/vtex NOTES 2.5, 2.6)."""

import hashlib
import random
import unicodedata
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

_FIRST: Final = (
    "Ana", "Beatriz", "Bruno", "Camila", "Carlos", "Catalina", "Daniela", "Diego", "Eduardo", "Elena", "Fernanda",
    "Gabriela", "Gustavo", "Helena", "Ignacio", "Isabela", "João", "Juliana", "Larissa", "Leonardo", "Lucía", "Marcos",
    "Mariana", "Martín", "Mateus", "Natália", "Paula", "Rafael", "Renata", "Rodrigo", "Sofía", "Thiago", "Valentina",
)  # fmt: skip
_LAST: Final = (
    "Almeida", "Araújo", "Barbosa", "Cardoso", "Castro", "Díaz", "Espinoza", "Fernandes", "Gomes", "Herrera", "Lima",
    "Martins", "Mendes", "Molina", "Muñoz", "Nunes", "Oliveira", "Pereira", "Ramos", "Ribeiro", "Rocha", "Rojas",
    "Santos", "Silva", "Soto", "Souza", "Vargas", "Vieira",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Country:
    """What differs between countries; `mobile` makes a possible number from a source of chance."""

    code: str
    alpha3: str
    timezone: str
    currency: str
    locale: str
    city: str
    state: str
    prefix: str
    mobile: Callable[[random.Random], str]


def _digits(chance: random.Random, count: int) -> str:
    return "".join(str(chance.randrange(10)) for _ in range(count))


COUNTRIES: Final = {
    country.code: country
    for country in (
        Country(
            "BR", "BRA", "America/Sao_Paulo", "BRL", "pt-BR", "São Paulo",
            "SP", "55", lambda chance: f"+55{chance.choice((11, 21, 31, 41, 51))}9{8}{_digits(chance, 7)}",
        ),
        Country(
            "CL", "CHL", "America/Santiago", "CLP", "es-CL", "Santiago",
            "RM", "56", lambda chance: f"+569{chance.choice((6, 7, 8, 9))}{_digits(chance, 7)}",
        ),
        Country(
            "MX", "MEX", "America/Mexico_City", "MXN", "es-MX", "México",
            "CMX", "52", lambda chance: f"+5255{chance.choice((1, 2, 3, 4))}{_digits(chance, 7)}",
        ),
        Country(
            "CO", "COL", "America/Bogota", "COP", "es-CO", "Bogotá",
            "DC", "57", lambda chance: f"+573{chance.choice((0, 1, 2))}{_digits(chance, 8)}",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A shopper. `customer` is the id of their document in VTEX, None for guests and mere contacts."""

    key: str
    first_name: str
    last_name: str
    email: str | None
    phone: str | None
    document: str
    customer: str | None = None
    user: str | None = None


class People:
    """Makes distinct shoppers of one shop, the same ones for the same seed."""

    def __init__(self, shop: str, country: Country, seed: int) -> None:
        self._shop = shop
        self._country = country
        self._seed = seed
        self._chance = random.Random(f"people {shop} {seed}")
        self._made = 0
        self._phones: set[str] = set()

    def customer(self, *, phone: str | None = None) -> Person:
        """Return a new shopper who has an account; with another's phone where one is given."""
        made = self._next(phone)
        return replace(made, customer=self._id(made.key, "document"), user=self._id(made.key, "profile"))

    def guest(self) -> Person:
        """Return a new shopper without an account."""
        return self._next(None)

    def _next(self, phone: str | None) -> Person:
        self._made += 1
        first, last = self._chance.choice(_FIRST), self._chance.choice(_LAST)
        name = _plain(f"{first}.{last}")
        # example.com reaches nobody (RFC 2606): nothing here can be mistaken for a person.
        email = f"{name}{self._made}@{self._shop}.example.com"
        key = f"{self._shop}-{self._seed}-{self._made}"
        return Person(key, first, last, email, phone or self._phone(), _digits(self._chance, 11))

    def _phone(self) -> str:
        while (number := self._country.mobile(self._chance)) in self._phones:
            continue
        self._phones.add(number)
        return number

    def _id(self, key: str, what: str) -> str:
        return str(uuid.UUID(bytes=hashlib.sha256(f"{what} {key}".encode()).digest()[:16], version=4))


def customer_document(person: Person, country: Country, chance: random.Random) -> dict[str, Any]:
    """Return a CL document as shops have them: the phone in one of two fields, in one of several spellings."""
    phone, at_home = spelled(person.phone, country, chance), chance.random() < 0.7  # noqa: PLR2004  a share
    return {
        "id": person.customer,
        "userId": person.user,
        "email": person.email if person.email is None or chance.random() < 0.8 else person.email.title(),  # noqa: PLR2004  a share
        "firstName": person.first_name,
        "lastName": person.last_name,
        "homePhone": phone if at_home else None,
        "phone": None if at_home else phone,
        "documentType": "cpf" if country.code == "BR" else "document",
        "document": person.document,
        "isCorporate": False,
        "isNewsletterOptIn": chance.choice((True, False, None)),
        "localeDefault": country.locale,
        "gender": chance.choice(("female", "male", None)),
        "birthDate": f"{chance.randrange(1955, 2004)}-0{chance.randrange(1, 10)}-{chance.randrange(10, 29)}T00:00:00Z",
    }


def address_document(person: Person, country: Country, chance: random.Random) -> dict[str, Any]:
    """Return an AD document of a customer; `userId` is the customer document's id (NOTES 2.5)."""
    return {
        "userId": person.customer,
        "addressName": f"home-{person.customer}",
        "addressType": "residential",
        "receiverName": f"{person.first_name} {person.last_name}",
        "postalCode": _digits(chance, 8),
        "city": country.city,
        "state": country.state,
        "country": country.alpha3,
        "street": chance.choice(("Rua das Flores", "Avenida Central", "Calle Larga", "Rua do Sol")),
        "number": str(chance.randrange(1, 2000)),
        "neighborhood": "Centro",
        "complement": None,
        "reference": None,
        "geoCoordinate": [],
    }


def spelled(phone: str | None, country: Country, chance: random.Random) -> str:
    """Return a phone the way somebody typed it: VTEX validates none (NOTES 2.5), so `0` may stand for none."""
    if phone is None:
        return "0"
    local = phone.removeprefix(f"+{country.prefix}")
    if country.code == "BR" and chance.random() < 0.5:  # noqa: PLR2004  a share
        return chance.choice((local, f"({local[:2]}) {local[2:7]}-{local[7:]}", f"{local[:2]} {local[2:]}"))
    return phone if chance.random() < 0.7 else f"{phone[:6]} {phone[6:]}"  # noqa: PLR2004  a share


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in letters if letter.isascii())
