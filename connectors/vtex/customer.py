"""From a CL document to the data of `vtex.customer.changed` (contracts/vtex NOTES 2.5, 2.6). Pure.

Only named fields are asked for: `_all` may touch one that the key must not read, and then nothing is answered
(NOTES 1).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.vtex.errors import ContractChanged
from connectors.vtex.instants import version_of
from connectors.vtex.texts import email_of, is_nothing, text_of
from schemas.events import encode
from schemas.stores import VtexAccess
from schemas.vtex import ReadBy

LARGEST: Final = 65_536
"""Bytes of a store's own fields together; Infobip takes 4,096 characters of each."""
_TEXTS: Final = {
    "first_name": "firstName", "last_name": "lastName", "home_phone": "homePhone", "phone": "phone",
    "cell_phone": "cellPhone", "business_phone": "businessPhone", "document": "document", "birth_date": "birthDate",
    "gender": "gender", "locale": "localeDefault",
}  # fmt: skip
_ADDRESS: Final = {
    "type": "addressType", "label": "addressLabel", "receiver": "receiverName", "street": "street", "number": "number",
    "complement": "complement", "neighborhood": "neighborhood", "city": "city", "state": "state",
    "postal_code": "postalCode", "country": "country", "reference": "reference",
}  # fmt: skip
ID_FIELDS: Final = ("id", "updatedIn", "createdIn")
ADDRESS_FIELDS: Final = (*ID_FIELDS, "userId", *_ADDRESS.values())
OWNER_FIELDS: Final = (*ID_FIELDS, "userId")


def customer_fields(access: VtexAccess) -> tuple[str, ...]:
    """Return the fields of CL that a store reads."""
    opt_in = (access.opt_in_field,) if access.opt_in_entity is None else ()
    named = (*ID_FIELDS, "userId", "email", *opt_in, *_TEXTS.values(), *access.custom_fields)
    return tuple(dict.fromkeys(named))


def customer_id(document: Mapping[str, Any]) -> str:
    """Return a document's id in the one case that we use; storage ignores case, the index does not (NOTES 2.3).

    Raises:
        ContractChanged: it has none.
    """
    found = document.get("id")
    if not isinstance(found, str) or not found:
        raise ContractChanged("a document of Master Data came without its id, though it was asked for")
    return found.lower()


def identified(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the documents that say which they are; one that does not must not keep the others from being read."""
    return [row for row in rows if isinstance(row.get("id"), str) and row["id"]]


def read_customer(
    document: Mapping[str, Any],
    access: VtexAccess,
    read_by: ReadBy,
    address: Mapping[str, Any] | None = None,
    opt_in: bool | None = None,
) -> dict[str, Any]:
    """Return the data of a customer event (schemas.vtex.CustomerRead), what is null left out.

    Args:
        document: of CL.
        access: names the opt-in field and the custom ones.
        read_by: what made us read it.
        address: the AD document of the customer that changed last, where it was read.
        opt_in: as the store's own entity has it, where it was read; of a store whose opt-in stands in CL, None.
    """
    data: dict[str, Any] = {
        "customer_id": customer_id(document), "source_version": version_of(document), "read_by": read_by,
    }  # fmt: skip
    if user_id := text_of(document.get("userId")):
        data["user_id"] = user_id
    if email := email_of(document.get("email")):
        data["email"] = email
    for name, source in _TEXTS.items():
        if text := text_of(document.get(source)):
            data[name] = text
    if access.opt_in_entity is None:
        opt_in = read_opt_in(document, access)
    if opt_in is not None:
        data["newsletter_opt_in"] = opt_in
    if address is not None:
        data["address"] = read_address(address)
    if access.custom_fields:
        data["custom"] = _custom(document, access.custom_fields)
    return data


def read_opt_in(document: Mapping[str, Any], access: VtexAccess) -> bool | None:
    """Return what a document says of the opt-in; None: nobody was asked."""
    return _boolean(document.get(access.opt_in_field))


def read_address(document: Mapping[str, Any]) -> dict[str, str]:
    """Return what an AD document tells of a place."""
    return {name: text for name, source in _ADDRESS.items() if (text := text_of(document.get(source)))}


def latest_address(addresses: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the address that changed last; of equal ones always the same."""
    return max(addresses, key=lambda each: (version_of(each), str(each.get("id"))), default=None)


def _custom(document: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return a store's own fields; those with which a record would outgrow what the broker takes are left out."""
    found, room = {}, LARGEST
    for name in names:
        value = document.get(name)
        if not is_nothing(value) and (size := len(encode(value))) <= room:
            found[name], room = value, room - size
    return found


def _boolean(value: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int) else None
