"""What tells who someone is: the mark, the normal forms, and the hashes that stand for them.

DESIGN section 11: the mark on a field drives everything (which topics may hold it, what `forget` erases),
so nobody has to remember. A hash is keyed with the store's secret, which never rotates: enough to join,
useless to read.
"""

import hmac
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import phonenumbers
from pydantic import BaseModel


class Personal:
    """The mark: `Annotated[str, Personal()]`."""

    def __repr__(self) -> str:
        return "Personal()"


PersonalStr = Annotated[str, Personal()]
PersonalMap = Annotated[dict[str, Any], Personal()]
Kind = Literal["email", "phone", "customer", "session"]

_EMAIL: Final = re.compile(r"^[^@\s*]+@[^@\s*]+\.[^@\s*.]+$")
# Hard masks of VTEX's Conversation Tracker hide the address entirely (contracts/vtex NOTES 4.3): they identify nobody.
_HARD_MASK: Final = re.compile(r"^[0-9a-f]{32}@ct\.vtex\.com(\.br)?$")
_SOFT_MASK: Final = re.compile(r"-\w+\.ct\.vtex\.com(\.br)?$")


def normal_email(value: object) -> str | None:
    """Return the one form in which an e-mail is stored, compared and hashed, or None when it identifies nobody.

    Soft masks (`jane@shop.com-2077b.ct.vtex.com.br`) give the address before the mask; hard masks, `***` and
    anything that is no address give None (contracts/vtex NOTES 2.5, 4.3).
    """
    if not isinstance(value, str):
        return None
    text = _SOFT_MASK.sub("", value.strip().lower())
    if len(text) > 254 or not _EMAIL.match(text) or _HARD_MASK.match(text):  # noqa: PLR2004  RFC 5321 path limit
        return None
    return text


def normal_phone(value: object, country: str) -> str | None:
    """Return E.164 (`+5511987654321`), or None when it is no possible number.

    Args:
        value: what a person or a platform wrote; VTEX does not validate phones (contracts/vtex NOTES 2.5).
        country: ISO 3166-1 alpha-2 of the store, for numbers written without a country prefix.
    """
    if not isinstance(value, str) or not value or "*" in value:
        return None
    try:
        number = phonenumbers.parse(value.strip(), country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normal_customer(value: object) -> str | None:
    """Return the one form of a customer id: VTEX's storage ignores letter case, its index does not (NOTES 2.3)."""
    return value.strip().lower() or None if isinstance(value, str) else None


def hash_value(secret: bytes, kind: Kind, normal: str) -> str:
    """Return the keyed hash (64 hex digits) of a normal form; `kind` keeps equal texts of two kinds apart."""
    return hmac.digest(secret, f"{kind}:{normal}".encode(), "sha256").hex()


def personal_paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of every field of a model, or of a model inside it, that carries the mark."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        if any(isinstance(mark, Personal) for mark in field.metadata) or _marked(field.annotation):
            yield path
            continue
        for inner in _models(field.annotation):
            yield from personal_paths(inner, f"{path}.")


def _marked(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return any(isinstance(mark, Personal) for mark in get_args(annotation)[1:])
    return any(_marked(part) for part in get_args(annotation))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
