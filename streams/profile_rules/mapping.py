"""From a VTEX customer to what each destination is told: fields, fingerprint, reach. Pure.

A field that the customer does not have is left out, never sent as empty: VTEX wipes fields on its own (contracts/vtex
NOTES 2.5), and what it forgot is not ours to erase. Consent is never among them: creating a profile does not subscribe
anybody, and nothing we send can undo an `unsubscribed` (contracts/hellotext NOTES 3). A store that wants VTEX's
newsletter opt-in at the destination maps it to a property of its own.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import orjson
import phonenumbers

from schemas.profiles import Reach
from schemas.stores import HellotextAccess, InfobipAccess, StoreConnection
from schemas.vtex import Customer

HELLOTEXT: Final = "hellotext"
INFOBIP: Final = "infobip"
Fields = dict[str, Any]

_KEYS: Final = {
    "documented": {"email": "email[primary]", "phone": "phone[mobile]"},
    "flat": {"email": "email", "phone": "phone", "customer": "reference"},
}
# Names at Infobip must not contain these (contracts/infobip CONTRACT 3).
_FORBIDDEN: Final = re.compile(r"[&<>\"/\\:(){}=;#\x00-\x1f\x7f]+")
_BLANKS: Final = re.compile(r"\s+")
_DAY: Final = re.compile(r"^(\d{4}-\d{2}-\d{2})")
_LANGUAGE: Final = re.compile(r"^[a-z]{2}(-[A-Z]{2})?$")
_OLDEST: Final = date(1900, 1, 1)
_GENDERS: Final = {"male": "MALE", "m": "MALE", "masculino": "MALE", "female": "FEMALE", "f": "FEMALE",
                   "feminino": "FEMALE", "femenino": "FEMALE"}  # fmt: skip
_LONGEST_VALUE: Final = 4096
_MOBILE: Final = frozenset((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE))


def destinations(connection: StoreConnection) -> tuple[str, ...]:
    """Return where a store's customers go."""
    return (HELLOTEXT,) if connection.infobip is None else (HELLOTEXT, INFOBIP)


def access_of(connection: StoreConnection, destination: str) -> HellotextAccess | InfobipAccess | None:
    """Return how a destination is reached; None when the store is not connected to it."""
    return connection.hellotext if destination == HELLOTEXT else connection.infobip


def fields_for(destination: str, customer: Customer, connection: StoreConnection) -> Fields:
    """Return what a destination is told of a customer."""
    if destination == INFOBIP and connection.infobip is not None:
        return infobip_person(customer, connection.infobip)
    return hellotext_fields(customer, connection.hellotext)


def reachable(destination: str, customer: Customer) -> bool:
    """Say whether the customer can be created there without ever being created twice.

    Hellotext matches by e-mail or phone and by nothing else (B1); Infobip matches by our customer id as well.
    """
    return destination == INFOBIP or bool(customer.email or customer.phone)


def hellotext_fields(customer: Customer, access: HellotextAccess) -> Fields:
    """Return a profile's fields (contracts/hellotext B1); the phone is E.164."""
    keys = _KEYS[access.key_style]
    fields = {"first_name": customer.first_name, "last_name": customer.last_name}
    fields |= {key: getattr(customer, name) for name, key in keys.items()}
    for name, property_id in access.properties.items():
        fields[f"property_by_id[{property_id}]"] = value_of(customer, name)
    return {key: value for key, value in fields.items() if value}


def infobip_person(customer: Customer, access: InfobipAccess) -> Fields:
    """Return a person (contracts/infobip CONTRACT 2): v3 shape, contacts as an array, phone digits without `+`."""
    person: Fields = {
        "externalId": customer.customer,
        "type": "CUSTOMER",
        "firstName": _name(customer.first_name),
        "lastName": _name(customer.last_name),
        "gender": _GENDERS.get((customer.gender or "").strip().lower()),
        "birthDate": _birthday(customer.birth_date),
        "preferredLanguage": _match(_LANGUAGE, customer.locale),
        "city": _name(_text(customer.address or {}, "city"), 50),
        "country": _name(_text(customer.address or {}, "country"), 50),
        "address": _street(customer.address or {}),
    }
    contacts = []
    if customer.phone:
        contacts.append({"type": "PHONE", "identifier": customer.phone.removeprefix("+")})
    if customer.email:
        contacts.append({"type": "EMAIL", "identifier": customer.email})
    person["contactInformation"] = contacts
    person["customAttributes"] = {
        attribute: value for name, attribute in access.attributes.items() if (value := value_of(customer, name))
    }
    return {key: value for key, value in person.items() if value}


def value_of(customer: Customer, name: str) -> str | None:
    """Return a customer's field as text: `document`, `address.city`, `custom.size`; booleans as `true`, `false`."""
    field, _, inner = name.partition(".")
    value: Any = getattr(customer, field, None)
    if inner:
        value = value.get(inner) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:_LONGEST_VALUE] if isinstance(value, str | int | float) and value != "" else None


def fingerprint(secret: bytes, target: str, fields: Mapping[str, Any]) -> str:
    """Return the keyed hash of what would be sent and where to: an equal one is not sent again.

    Args:
        secret: the store's hash secret: the hash of a short value must not be reversible by trial.
        target: whose profiles these are; another business starts afresh.
        fields: what would be sent.
    """
    text = orjson.dumps([target, fields], option=orjson.OPT_SORT_KEYS)
    return hmac.digest(secret, text, "sha256").hex()


def target_of(destination: str, connection: StoreConnection) -> str:
    """Return what a destination's ids belong to: the business, or the account."""
    if destination == INFOBIP and connection.infobip is not None:
        return f"{INFOBIP} {connection.infobip.url}"
    return f"{HELLOTEXT} {connection.hellotext.url} {connection.hellotext.business_id}"


def reach_of(phone: str | None) -> Reach:
    """Return by which channels an E.164 number can be reached: a mobile number by both, any other by neither."""
    if phone is None:
        return Reach()
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return Reach()
    mobile = phonenumbers.number_type(number) in _MOBILE
    return Reach(sms=mobile, whatsapp=mobile)


def _name(value: str | None, longest: int = 255) -> str | None:
    if not value:
        return None
    return _BLANKS.sub(" ", _FORBIDDEN.sub(" ", value)).strip()[:longest].strip() or None


def _match(pattern: re.Pattern[str], value: str | None) -> str | None:
    found = pattern.match(value or "")
    return found[0] if found else None


def _birthday(value: str | None) -> str | None:
    """Return a day on which somebody can be born; `0001-01-01` is how VTEX's platform writes none."""
    found = _match(_DAY, value)
    try:
        day = None if found is None else date.fromisoformat(found)
    except ValueError:
        return None
    return found if day is not None and day >= _OLDEST else None


def _text(place: Mapping[str, Any], key: str) -> str | None:
    value = place.get(key)
    return value if isinstance(value, str) else None


def _street(address: Mapping[str, Any]) -> str | None:
    parts = [_text(address, key) for key in ("street", "number")]
    return _name(" ".join(part for part in parts if part), 256)
