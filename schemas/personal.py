"""What tells who someone is: the mark, the normal forms, and the hashes that stand for them.

DESIGN section 11: the mark on a field drives everything (which topics may hold it, what `forget` erases),
so nobody has to remember. A hash is keyed with the store's secret, which never rotates: enough to join,
useless to read.
"""

import hmac
import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel

from schemas.phones import normal_phone

__all__ = [
    "Kind", "Personal", "PersonalMap", "PersonalStr", "hash_value", "normal_customer", "normal_email", "normal_phone",
    "personal_paths",
]  # fmt: skip


class Personal:
    """The mark: `Annotated[str, Personal()]`."""

    def __repr__(self) -> str:
        return "Personal()"


PersonalStr = Annotated[str, Personal()]
PersonalMap = Annotated[dict[str, Any], Personal()]
Kind = Literal["email", "phone", "customer", "session"]

_EMAIL: Final = re.compile(r"^[^@\s*]+@[^@\s*]+\.[^@\s*.]+$")
_AROUND: Final = re.compile(r"^(?:mailto:|[\s<>\"(),;:])+|[\s<>\"(),;:.]+$")
"""What people write around an address, and what nobody sees in it."""
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")
_LONGEST: Final = 1000
# Hard masks of VTEX's Conversation Tracker hide the address entirely (contracts/vtex NOTES 4.3): they identify nobody.
_HARD_MASK: Final = re.compile(r"^[0-9a-f]{32}@ct\.vtex\.com(\.br)?$")
_SOFT_MASK: Final = re.compile(r"-\w+\.ct\.vtex\.com(\.br)?$")


def normal_email(value: object) -> str | None:
    """Return the one form in which an e-mail is stored, compared and hashed, or None when it identifies nobody.

    Soft masks (`jane@shop.com-2077b.ct.vtex.com.br`) give the address before the mask; hard masks, `***` and
    anything that is no address give None (contracts/vtex NOTES 2.5, 4.3).
    """
    if not isinstance(value, str) or len(value) > _LONGEST:
        return None
    text = _SOFT_MASK.sub("", _AROUND.sub("", _UNSEEN.sub("", value)).lower())
    if len(text) > 254 or not _EMAIL.match(text) or _HARD_MASK.match(text):  # noqa: PLR2004  RFC 5321 path limit
        return None
    return text


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
