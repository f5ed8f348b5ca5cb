"""Writing Master Data: times, versions, the way to the index, triggers (NOTES 2.3 to 2.8)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.vtex.clock import iso
from sandbox.vtex.entity import Entity
from sandbox.vtex.fields import Field, address_fields, customer_fields, own_fields
from sandbox.vtex.rows import Document
from sandbox.vtex.triggers import Trigger
from sandbox.vtex.world import World

ADMIN: Final = "c83ea7ed-f875-4a10-b0a0-98d96aedab06"
"""Who VTEX says has made a change."""
_WIPED: Final = ("firstName", "lastName", "homePhone", "phone", "cellPhone", "businessPhone", "document")


@dataclass(slots=True)
class Records:
    """CL and AD of one account.

    Attributes:
        triggers: rules of the admin's Trigger screen.
        lost: lower-case ids that the index never gets (NOTES 2.3).
    """

    world: World
    triggers: list[Trigger] = field(default_factory=list)
    entities: dict[str, Entity] = field(init=False)
    lost: set[str] = field(default_factory=set)
    _homes: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entities = {"CL": Entity("CL", customer_fields()), "AD": Entity("AD", address_fields())}

    def define(self, acronym: str, names: Iterable[str]) -> None:
        """Add a data entity of the store's own."""
        self.entities[acronym] = Entity(acronym, own_fields(names))

    def put(self, acronym: str, given: Mapping[str, Any], *, at_once: bool = False) -> str:
        """Create or change a document; fields that are not given keep their values.

        Args:
            acronym: `CL` or `AD`.
            given: fields; without `id` a new document. `createdIn` and `updatedIn` may be given, for the past.
            at_once: the index sees it now, whatever the lag.

        Returns:
            The id.
        """
        entity = self.entities[acronym]
        self._declare(entity, given)
        found = entity.get(str(given["id"])) if given.get("id") else None
        before = None if found is None else found.document
        document = self._changed(before, given) if before is not None else self._created(entity, given)
        visible = self._visible(document["id"], new=before is None, at_once=at_once)
        entity.put(document, visible, self._ghost(document["id"], new=before is None))
        if acronym == "AD" and document["addressName"]:
            self._homes[str(document["userId"]), document["addressName"]] = document["id"]
        self._trigger(acronym, before, document)
        return str(document["id"])

    def delete(self, acronym: str, id: str) -> bool:  # noqa: A002  VTEX's name
        """Delete a document: no tombstone, no change log (NOTES 2.7). Whether there was one."""
        entity, hostility = self.entities[acronym], self.world.hostility
        found = entity.get(id)
        if found is None:
            return False
        entity.remove(id, self.world.later("lag", hostility.lag_least, hostility.lag))
        self._trigger(acronym, found.document, None)
        return True

    def touch(self, acronym: str, id: str, *, at_once: bool = False) -> None:  # noqa: A002
        """Change what browsing changes: `updatedIn` moves and no profile field does (NOTES 2.5)."""
        if self.entities[acronym].get(id) is not None:
            noise = {"rclastsessiondate": iso(self.world.now(), "+00:00")} if acronym == "CL" else {}
            self.put(acronym, {"id": id, **noise}, at_once=at_once)

    def wipe(self, id: str) -> None:  # noqa: A002
        """Blank a customer's name and phones, as the platform itself does at times (NOTES 2.5)."""
        if self.entities["CL"].get(id) is not None:
            self.put("CL", {"id": id, **dict.fromkeys(_WIPED)})

    def find(self, acronym: str, name: str, value: str) -> Document | None:
        """Return the first stored document whose field has a value, whatever the index knows."""
        entity = self.entities[acronym]
        number = entity.generated.lookup(name, value.lower())
        if number is not None and number not in entity.changed:
            return entity.generated.document(number)
        rows: Iterable[Document] = (row.document for row in entity.stored.values())
        return next((row for row in rows if str(row.get(name) or "").lower() == value.lower()), None)

    def address(self, customer: str, name: str) -> str | None:
        """Return the id of a customer's stored address of a name."""
        known = self._homes.get((customer, name))
        return known if known is not None and self.entities["AD"].get(known) is not None else None

    def _declare(self, entity: Entity, given: Mapping[str, Any]) -> None:
        """Add the store's own fields to the structure; they may be read, and not filtered."""
        for name in given:
            if name not in entity.fields:
                entity.fields[name] = Field(name, filter=False, searchable=False)

    def _created(self, entity: Entity, given: Mapping[str, Any]) -> Document:
        now = iso(self.world.now())
        made: Document = {
            **dict.fromkeys(entity.fields), "id": self.world.new_id(), "accountId": _account_id(self.world.account),
            "accountName": self.world.account, "dataEntityId": entity.acronym, "createdBy": ADMIN, "createdIn": now,
            "followers": [], "tags": [],
        }  # fmt: skip
        if entity.acronym == "CL":
            made["userId"] = self.world.new_id()
        made |= {name: value for name, value in given.items() if value is not None or name not in {"id", "createdIn"}}
        made["lastInteractionBy"], made["lastInteractionIn"] = ADMIN, made["updatedIn"] or made["createdIn"]
        return made

    def _changed(self, before: Document, given: Mapping[str, Any]) -> Document:
        at = given.get("updatedIn") or iso(self.world.now())
        kept = {"id": before["id"], "createdIn": before["createdIn"], "updatedIn": at, "updatedBy": ADMIN}
        return {**before, **given, **kept, "lastInteractionBy": ADMIN, "lastInteractionIn": at}

    def _visible(self, id: str, *, new: bool, at_once: bool) -> int | None:  # noqa: A002
        """Return when the index sees a change of a document."""
        hostility, world = self.world.hostility, self.world
        if new and world.dice.falls("never indexed", hostility.never_indexed):
            self.lost.add(id.lower())
        if id.lower() in self.lost:
            return None
        return world.clock() if at_once else world.later("lag", hostility.lag_least, hostility.lag)

    def _ghost(self, id: str, *, new: bool) -> str | None:  # noqa: A002
        """Return the second spelling under which the index holds a new document, when it does."""
        ghosts = self.world.hostility.ghosts
        return id.upper() if new and id.upper() != id and self.world.dice.falls("ghost", ghosts) else None

    def _trigger(self, acronym: str, before: Document | None, after: Document | None) -> None:
        for trigger in self.triggers:
            self.world.tell(trigger.parcel(acronym, before, after))


def _account_id(account: str) -> str:
    return f"5f1fe23b-9fd1-417d-a4aa-{account.encode().hex()[:12]:0>12}"
