"""What may be stored of what was told (DESIGN section 11). Pure, apart from the store's secret handed in.

Personal values stand in `pixel.identities` only; in everything else a keyed hash stands for e-mail and phone, and
the rest is left out. Three nets, since pages put anything anywhere: keys that name a personal value, patterns
(e-mail, E.164) in any text or address, and the very values this body told, wherever else they stand in it.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, Literal
from urllib.parse import quote, unquote

from schemas.personal import Kind, hash_value, normal_customer, normal_email, normal_phone

DEEPEST: Final = 24  # orjson writes 254 levels; no shop nests this deep
_KEY_NOISE: Final = re.compile(r"[^a-z]")
_EMAIL_KEY: Final = re.compile(r"e?mail$|email")
_PHONE_KEY: Final = re.compile(r"phone|mobile|telefone|telefono|celular|whatsapp|msisdn")
_OTHER_KEY: Final = re.compile(
    r"^(first|last|full|middle|sur|given|family|user|customer|client|receiver|contact|corporate)name$"
    r"|^(nome|sobrenome|nombre|apellidos?)(completo)?$|contactinfo|address|^street|^complement(o)?$|^neighbou?rhood$"
    r"|^(postal|zip)code$|^(zip|cep)$|birth|^(corporate)?document(o)?$|^(cpf|cnpj|rg|dni|rut|curp|rfc|ssn|passport|taxid)$"
    r"|password|^(card|credit)|^cvv$|^(client|remote)?ip$"
)
_PERSON_KEY: Final = re.compile(
    r"^(user|customer|client|buyer|shopper|visitor|recipient|profile|person|contact)(data|profiledata|parameters|info)?$"
)
_NO_EMAIL: Final = r"\s@\"'<>()\[\],;:/?&=#\\|"
_EMAIL: Final = (
    re.compile(  # from where a word begins, and without a way back: a long word costs its length, not its square
        rf"(?<![^{_NO_EMAIL}])[^{_NO_EMAIL}]++@[^{_NO_EMAIL}]+\.[^{_NO_EMAIL}.]+"
    )
)
_PHONE: Final = re.compile(r"(?<![\w+])\+\d[\d ().-]{6,18}\d(?!\w)")
_PAIR: Final = re.compile(r"([?&;#]|^)([^=&?#;\s]{2,40})=([^&#;\s]+)")
_REMEMBERED: Final = 300  # pages and keys repeat; longer texts are not worth their memory
_APART: Final = 32  # of 64 hex digits

Meaning = Literal["email", "phone", "gone", "person", "name", "plain"]


@lru_cache(maxsize=8192)
def _meaning(key: str) -> Meaning:
    """What a key says of its value."""
    word = _KEY_NOISE.sub("", key.lower())
    if _EMAIL_KEY.search(word):
        return "email"
    if _PHONE_KEY.search(word):
        return "phone"
    if _OTHER_KEY.search(word):
        return "gone"
    if word == "name":
        return "name"
    return "person" if _PERSON_KEY.match(word) else "plain"


@lru_cache(maxsize=16384)
def _harmless(value: str) -> bool:
    """Whether no pattern would take anything out of a text."""
    plain = _decoded(value)
    if _EMAIL.search(plain) or _PHONE.search(plain):
        return False
    return all(_meaning(pair[2]) in {"plain", "person", "name"} for pair in _PAIR.finditer(plain))


def _decoded(value: str) -> str:
    """Decode until nothing changes: a twice-encoded address is still an address."""
    for _ in range(4):  # deeper encodings are nobody's link
        if "%" not in value or (plain := unquote(value)) == value:
            break
        value = plain
    return value


class Scrubber:
    """Replaces the personal values of one body; made for each body, since it learns the values told in it."""

    __slots__ = ("_country", "_known", "_secret")

    def __init__(self, secret: bytes, country: str) -> None:
        self._secret = secret
        self._country = country
        self._known: re.Pattern[str] | None = None

    def learn(self, values: Iterable[str]) -> None:
        """Take these texts out wherever they stand; shorter than three letters they would hit ordinary words."""
        forms: set[str] = set()
        for value in values:
            forms.update(form for form in (value, quote(value), quote(value, safe="")) if len(form) >= 3)  # noqa: PLR2004  see above
        if forms:
            longest_first = sorted(map(re.escape, forms), key=len, reverse=True)
            self._known = re.compile(r"(?<!\w)(?:" + "|".join(longest_first) + r")(?!\w)", re.IGNORECASE)

    def hash(self, kind: Kind, normal: str | None) -> str | None:
        """Return the keyed hash of a normal form, None of None."""
        return None if normal is None else hash_value(self._secret, kind, normal)

    def email(self, value: Any) -> str | None:
        """Return the hash of an e-mail, or None when it is none."""
        return self.hash("email", normal_email(value))

    def phone(self, value: Any) -> str | None:
        """Return the hash of a phone number, or None when it is none."""
        return self.hash("phone", normal_phone(value, self._country))

    def customer(self, value: Any) -> str | None:
        """Return the hash of the shop's own id of a customer."""
        return self.hash("customer", normal_customer(value))

    def text(self, value: str) -> str:
        """Return a text or address without the personal values in it, percent-encoded ones included."""
        # Every pattern needs one of four signs, and most texts have none: to look for each costs half of what one
        # regular expression does, and a call of its own would double it.
        if self._known is None and (
            ("=" not in value and "@" not in value and "%" not in value and "+" not in value)
            or (len(value) <= _REMEMBERED and _harmless(value))
        ):
            return value
        plain = _decoded(value)
        cleaned = self._plain(plain)
        if cleaned == plain:
            return value
        return cleaned if plain == value else quote(cleaned, safe="/:?&=#+,;@!$'()*~[]%. ")

    def id(self, value: str) -> str:
        """Return an id without personal values; where one was left out its hash keeps two ids apart."""
        cleaned = self.text(value)
        if cleaned == value or "removed" not in cleaned:
            return cleaned
        return f"{cleaned}:{hash_value(self._secret, 'session', value)[:_APART]}"

    def tree(self, value: Any, depth: int = 0, *, person: bool = False) -> Any:
        """Return a JSON value without personal values; keys are cleaned as well.

        Args:
            value: what `orjson.loads` gave.
            depth: how deep it stands; deeper than `DEEPEST` is left out.
            person: whether it describes a person, so that a plain `name` is someone's.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            if depth >= DEEPEST:
                return {}
            kept = {}
            for key, inner in value.items():
                cleaned = self._entry(key, inner, depth, person=person)
                if cleaned is not _GONE:
                    kept[self.text(key)] = cleaned
            return kept
        if isinstance(value, list):
            if depth >= DEEPEST:
                return []
            return [self.tree(inner, depth + 1, person=person) for inner in value]
        return value

    def _entry(self, key: str, value: Any, depth: int, *, person: bool) -> Any:
        meaning = _meaning(key) if len(key) <= _REMEMBERED else "plain"
        if meaning == "plain":
            return value if isinstance(value, (int, float)) else self.tree(value, depth + 1, person=person)
        scalar = isinstance(value, (str, int, float)) and not isinstance(value, bool)
        if scalar and meaning == "email":
            return _marked("email", self.email(value))
        if scalar and meaning == "phone":
            return _marked("phone", self.phone(str(value))) if _digits(value) else self.tree(value)
        if meaning == "gone" or (person and meaning == "name"):
            return _GONE
        return self.tree(value, depth + 1, person=person or meaning == "person")

    def _plain(self, value: str) -> str:
        if "=" in value:
            value = _PAIR.sub(self._pair, value)
        if "@" in value:
            value = _EMAIL.sub(lambda found: f"email:{self.email(found[0]) or 'removed'}", value)
        if "+" in value:
            value = _PHONE.sub(lambda found: f"phone:{self.phone(found[0]) or 'removed'}", value)
        if self._known is not None:
            value = self._known.sub("removed", value)
        return value

    def _pair(self, found: re.Match[str]) -> str:
        if _meaning(found[2]) not in {"email", "phone", "gone"}:
            return found[0]  # whatever the value holds, the patterns find it
        cleaned = self._entry(found[2], found[3].replace("+", " "), DEEPEST, person=False)
        return f"{found[1]}{found[2]}={'removed' if cleaned is _GONE else cleaned}"


_GONE: Final = object()


def _marked(kind: str, digest: str | None) -> Any:
    return f"{kind}:{digest}" if digest else _GONE


def _digits(value: Any) -> bool:
    return sum(letter.isdigit() for letter in str(value)) >= 6  # noqa: PLR2004  shorter is a model name, no number


def personal_texts(identity: dict[str, Any]) -> list[str]:
    """Return the texts of an identity that must stand nowhere else; ids and sources are no personal values."""
    texts = [
        value
        for name, value in identity.items()
        if name not in {"customer", "source", "other"} and isinstance(value, str)
    ]
    texts += _leaves(identity.get("other", {}), 0)
    return texts


def _leaves(value: Any, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    if depth >= DEEPEST or not isinstance(value, (dict, list)):
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [text for part in inner for text in _leaves(part, depth + 1)]


def mask_address(address: str | None) -> str | None:
    """Return the /24 of an IPv4 or the /48 of an IPv6 address: never a whole address; None when it is none."""
    if not address:
        return None
    host = address.strip()
    if host.startswith("["):  # some proxies write the sender's port, too
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = 24 if parsed.version == 4 else 48  # noqa: PLR2004  IP versions
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))


def sender_address(peer: str | None, forwarded: bytes, proxies: int) -> str | None:
    """Return the sender's address: the peer's, or what the outermost of our own proxies saw.

    Args:
        peer: the other end of the connection.
        forwarded: `X-Forwarded-For`; anybody may write it, so only our proxies' entries count.
        proxies: how many proxies of ours stand in front.
    """
    if not proxies or not forwarded:
        return peer
    hops = [hop.strip() for hop in forwarded.decode("latin-1").split(",") if hop.strip()]
    return hops[max(0, len(hops) - proxies)] if hops else peer


def may_keep(mode: str, consent: str | None) -> bool:
    """Return whether more than the bare fact may be stored: the store's mode against the visitor's choice."""
    if mode == "gdpr":
        return consent == "granted"
    return consent != "denied"
