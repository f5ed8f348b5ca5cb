"""What a story is made of: calls that a browser or a vendor makes, and changes inside VTEX."""

from dataclasses import dataclass, field
from typing import Any, Literal

ShopMethod = Literal[
    "put_customer", "delete_customer", "put_address", "browse", "place_order", "approve_order", "invoice_order",
    "return_order", "cancel_order", "change_order",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the collector, as a page makes it; must be answered 200.

    Attributes:
        path: under the collector's address, `/v1/...`.
        document: the JSON body; None for a GET.
        counts: what it adds to the day's progress: `events`, `identifications`, ...
    """

    path: str
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request to the store's reports address, as Infobip makes it."""

    document: Any
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """A request to the store's trigger address, as VTEX makes it when a rule of the merchant's fires."""

    resource: Literal["customers", "orders"]
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ShopChange:
    """Something that happens inside VTEX: a method of the stand-in's shop and its arguments."""

    method: ShopMethod
    arguments: tuple[Any, ...]
    fields: dict[str, Any] = field(default_factory=dict)


Step = Call | Webhook | Trigger | ShopChange


@dataclass(slots=True)
class Story:
    """Steps that must happen in this order; stories happen side by side, those that are `first` before all others."""

    title: str
    first: bool = False
    steps: list[Step] = field(default_factory=list)

    def add(self, *steps: Step) -> None:
        """Append what happens next."""
        self.steps.extend(steps)
