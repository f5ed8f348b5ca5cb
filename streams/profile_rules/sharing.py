"""Which customers a destination has merged into one profile, and whose content stands in it.

Hellotext matches a new customer to the profile that has the e-mail or phone (contracts/hellotext B1), so two customers
of the shop can end in one. Both keep its id, both say so, and the content is that of the one who changed last: the
result does not depend on who was sent first.
"""

from dataclasses import dataclass
from typing import Final

from streams.engine.agent import Shard, Table

SHARING: Final = Table("profiles.ids", disk=True)


@dataclass(frozen=True, slots=True)
class Group:
    """The customers in one profile.

    Attributes:
        customers: their ids.
        content: fingerprint of what stands in the profile; empty when unknown.
    """

    customers: tuple[str, ...] = ()
    content: str = ""


class Sharing:
    """The profiles of a destination and who is in them.

    Args:
        shard: the turn.
    """

    def __init__(self, shard: Shard) -> None:
        self._view = shard.table(SHARING)

    def of(self, store: str, destination: str, profile: str) -> Group:
        """Return who is in a profile."""
        row = self._view.get(_key(store, destination, profile))
        return Group() if row is None else Group(tuple(row["customers"]), row["content"])

    def join(self, store: str, destination: str, profile: str, customer: str, content: str | None = None) -> Group:
        """Note that a customer is in a profile, and what stands in it when that is news; return the group."""
        old = self.of(store, destination, profile)
        customers = tuple(sorted({*old.customers, customer}))
        new = Group(customers, old.content if content is None else content)
        if new != old:
            self._view[_key(store, destination, profile)] = {"customers": list(customers), "content": new.content}
        return new

    def leave(self, store: str, destination: str, profile: str, customer: str, content: str | None = None) -> Group:
        """Note that a customer is not in a profile any more, and what stands in it when that is news."""
        old = self.of(store, destination, profile)
        left = tuple(one for one in old.customers if one != customer)
        new = Group(left, old.content if content is None else content)
        key = _key(store, destination, profile)
        if left and new != old:
            self._view[key] = {"customers": list(left), "content": new.content}
        elif old.customers and not left:
            del self._view[key]
        return new


def _key(store: str, destination: str, profile: str) -> str:
    return f"{store}/{destination}/{profile}"
