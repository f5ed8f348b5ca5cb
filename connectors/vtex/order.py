"""From an order to the data of `vtex.order.changed`, without card data (contracts/vtex NOTES 4.2, 4.3). Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connectors.vtex.errors import ContractChanged
from connectors.vtex.instants import exact
from connectors.vtex.texts import text_of
from schemas.clock import to_ms, to_text
from schemas.personal import normal_email
from schemas.vtex import ReadBy

_PROTECTED: Final = re.compile(r"\*.*@.*\*|@.*\*.*\*")
"""How the PII architecture masks an address: `j***.d**@e******.c**` (NOTES 3)."""
_MOST: Final = 10**15
"""Minor units; a number beyond is a mistake, and cannot be added to others."""
_HARD_MASK: Final = re.compile(r"^[0-9a-f]{32}@ct\.vtex\.com(\.br)?$", re.IGNORECASE)


def read_order(order: Mapping[str, Any], currency: str, read_by: ReadBy) -> dict[str, Any]:
    """Return the data of an order event (schemas.vtex.OrderRead), what is null left out.

    Args:
        order: as OMS answers it.
        currency: the store's, where the order names none.
        read_by: what made us read it.

    Raises:
        ContractChanged: it lacks what every order has; says which, never the order's values.
    """
    order_id = str(_read(order, "orderId", _identity))
    created = _read(order, "creationDate", _instant)
    data = {
        "order_id": order_id, "order_group": text_of(order.get("orderGroup")) or order_id,
        "status": text_of(order.get("status")), "created_at": created,
        "changed_at": _read(order, "lastChange", exact) if order.get("lastChange") else created,
        "value": _read(order, "value", _whole),
        "currency": text_of(_part(order, "storePreferencesData").get("currencyCode")) or currency,
        "buyer": _buyer(order), "returns": _read(order, "packageAttachment", lambda part: list(_returns(part))),
        "changes_value": _read(order, "changesAttachment", _changes), "read_by": read_by,
    }  # fmt: skip
    for name, source in (("order_form_id", "orderFormId"), ("sequence", "sequence"), ("origin", "origin")):
        if text := text_of(order.get(source)):
            data[name] = text
    data.update(_further(order))
    return data


def _further(order: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    sellers = order.get("sellers")
    if isinstance(sellers, list) and sellers and isinstance(sellers[0], Mapping):
        found["seller"] = text_of(sellers[0].get("id"))
    opt_in = _part(order, "clientPreferencesData").get("optinNewsLetter")
    if isinstance(opt_in, bool):
        found["newsletter_opt_in"] = opt_in
    if isinstance(order.get("marketingData"), Mapping):
        found["marketing"] = _marketing(order["marketingData"])
    if replaces := text_of(order.get("replacedOrderId")):
        found["replaces"] = replaces
    return {name: value for name, value in found.items() if value is not None}


def hidden_buyer(order: Mapping[str, Any]) -> str | None:
    """Return the userProfileId of a buyer whose e-mail the order hides entirely; None where it need not be looked up.

    A soft mask tells the address, and a masked marketplace relay is nobody's customer here (NOTES 4.3).
    """
    profile = _part(order, "clientProfileData")
    email = text_of(profile.get("email"))
    if email is not None and not _HARD_MASK.match(email):
        return None
    return text_of(profile.get("userProfileId"))


def is_protected(order: Mapping[str, Any]) -> bool:
    """Whether the account keeps its customers' data on the PII architecture."""
    email = _part(order, "clientProfileData").get("email")
    return isinstance(email, str) and _PROTECTED.search(email) is not None


def _buyer(order: Mapping[str, Any]) -> dict[str, str]:
    profile = _part(order, "clientProfileData")
    found = {
        "user_profile_id": text_of(profile.get("userProfileId")), "email": normal_email(profile.get("email")),
        "phone": text_of(profile.get("phone")), "first_name": text_of(profile.get("firstName")),
        "last_name": text_of(profile.get("lastName")), "document": text_of(profile.get("document")),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _marketing(data: Mapping[str, Any]) -> dict[str, str]:
    names = {"utm_source": "utmSource", "utm_medium": "utmMedium", "utm_campaign": "utmCampaign", "coupon": "coupon"}
    return {name: text for name, source in names.items() if (text := text_of(data.get(source)))}


def _returns(attachment: Any) -> Iterator[dict[str, Any]]:
    """Yield return invoices, each number once: a race may write one twice (NOTES 4.2); one without by day and value."""
    seen: set[str] = set()
    packages = attachment.get("packages") if isinstance(attachment, Mapping) else None
    for package in packages if isinstance(packages, list) else ():
        if not isinstance(package, Mapping) or package.get("type") != "Input":
            continue
        refund = _part(_part(package, "restitutions"), "Refund").get("value")
        told = package.get("invoiceValue") if refund is None else refund
        if told is None:
            continue
        value = _whole(told)
        number = text_of(package.get("invoiceNumber")) or f"{package.get('issuanceDate')} {value}"
        if number not in seen:
            seen.add(number)
            yield {"invoice_number": number, "value": value}


def _changes(attachment: Any) -> int:
    changes = attachment.get("changesData") if isinstance(attachment, Mapping) else None
    return sum(
        _whole(change.get("incrementValue") or 0) - _whole(change.get("discountValue") or 0)
        for change in (changes if isinstance(changes, list) else ())
        if isinstance(change, Mapping)
    )


def _read(order: Mapping[str, Any], name: str, read: Callable[[Any], Any]) -> Any:
    """Read what an order must have; an error names the field, never its value."""
    try:
        return read(order.get(name))
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise ContractChanged(f"an order came without a usable {name}") from None


def _whole(value: Any) -> int:
    number = int(float(value) if isinstance(value, str) else value)
    if abs(number) > _MOST:
        raise ValueError("no amount of money")
    return number


def _identity(value: Any) -> str:
    text = text_of(value)
    if text is None:
        raise ValueError("no id")
    return text


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _instant(text: str) -> str:
    return to_text(to_ms(text))
