"""The structure of CL and AD: the fields, their types, and which may be filtered (NOTES 2.1, 2.5, 2.6)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Field:
    """One field, as `GET /api/dataentities/{acronym}` tells it."""

    name: str
    type: str = "Varchar 750"
    filter: bool = True
    searchable: bool = True
    internal: bool = False

    def told(self) -> dict[str, Any]:
        """Return the field as VTEX writes it."""
        return {
            "name": self.name, "type": self.type, "displayName": self.name, "isNullable": self.name != "id",
            "isSearchable": self.searchable, "isFilter": self.filter, "isInternal": self.internal,
        }  # fmt: skip

    @property
    def is_date(self) -> bool:
        """Whether values are dates."""
        return self.type in {"Date and Time", "Date"}


def _internal() -> list[Field]:
    """Return what every document has; dates may be filtered and not searched (NOTES 2.1)."""
    dates = [Field(name, "Date and Time", searchable=False, internal=True)
             for name in ("createdIn", "updatedIn", "lastInteractionIn")]  # fmt: skip
    people = [Field(name, "User Login", searchable=False, internal=True)
              for name in ("createdBy", "updatedBy", "lastInteractionBy")]  # fmt: skip
    names = ("id", "accountId", "accountName", "dataEntityId", "followers", "tags", "auto_filter")
    texts = [Field(name, filter=name == "id", searchable=name == "id", internal=True) for name in names]
    return [*texts, *people, *dates]


_CL_TEXTS: Final = (
    "email",
    "userId",
    "firstName",
    "lastName",
    "document",
    "documentType",
    "corporateDocument",
    "corporateName",
    "tradeName",
    "stateRegistration",
    "localeDefault",
    "homePhone",
    "phone",
    "cellPhone",
    "businessPhone",
    "gender",
    "customerClass",
    "customerCode",
    "tradePolicy",
    "priceTables",
    "bindingId",
    "bindingUrl",
    "birthDateMonth",
)
_CL_FLAGS: Final = ("isNewsletterOptIn", "isCorporate", "isFreeStateRegistration", "approved")
_CL_CLOSED: Final = (
    "rclastcart",
    "rclastcartvalue",
    "rclastsession",
    "rclastsessiondate",
    "carttag",
    "checkouttag",
    "brandVisitedTag",
    "categoryVisitedTag",
    "departmentVisitedTag",
    "productVisitedTag",
    "brandPurchasedTag",
    "categoryPurchasedTag",
    "productPurchasedTag",
    "visitedProductWithStockOutSkusTag",
    "profilePicture",
    "attach",
    "restrictions",
)
_AD_TEXTS: Final = (
    "userId",
    "addressName",
    "addressType",
    "addressLabel",
    "postalCode",
    "country",
    "state",
    "city",
    "neighborhood",
    "street",
    "number",
    "complement",
    "reference",
    "receiverName",
)
_AD_CLOSED: Final = ("countryfake", "geoCoordinate")


def customer_fields() -> dict[str, Field]:
    """Return the fields of CL."""
    own = [*map(Field, _CL_TEXTS), Field("birthDate", "Date and Time"),
           *(Field(name, "Boolean") for name in _CL_FLAGS),
           *(Field(name, filter=False, searchable=False) for name in _CL_CLOSED)]  # fmt: skip
    return {entry.name: entry for entry in (*own, *_internal())}


def address_fields() -> dict[str, Field]:
    """Return the fields of AD."""
    own = [*map(Field, _AD_TEXTS), *(Field(name, filter=False, searchable=False) for name in _AD_CLOSED)]
    return {entry.name: entry for entry in (*own, *_internal())}


def own_fields(names: Iterable[str]) -> dict[str, Field]:
    """Return the fields of an entity that a store has defined: the named ones, all open to filters."""
    return {entry.name: entry for entry in (*map(Field, names), *_internal())}
