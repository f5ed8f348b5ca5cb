"""`/documents/{id}` and the structure of entities: strongly consistent (NOTES 2.3)."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from sandbox.vtex import answers
from sandbox.vtex.entity import Entity
from sandbox.vtex.rows import Document
from sandbox.vtex.visit import Visit

_ALWAYS = ("id", "accountId", "accountName", "dataEntityId")


def entity_of(visit: Visit) -> Entity:
    """Return the entity that the path names.

    Raises:
        Refusal: 404 for one that the account does not have.
    """
    entity = visit.shop.entities.get(visit.path["acronym"].upper())
    if entity is None:
        raise answers.master_data(404, "Data entity not found")
    return entity


def wanted_fields(visit: Visit, entity: Entity) -> tuple[str, ...]:
    """Return what `_fields` asks for; without it only four fields are told (spec, "Get document").

    Raises:
        Refusal: 403 when a field is private to this key's owner (NOTES 1).
    """
    asked = visit.query.get("_fields", "")
    names = _ALWAYS if not asked else tuple(name.strip() for name in asked.split(",") if name.strip())
    if "_all" in names:
        names = tuple(entity.fields)
    if not visit.shop.private_fields.isdisjoint(names):
        raise answers.master_data(403, "Cannot read private fields")
    return tuple(name for name in names if name in entity.fields)


def reduced(document: Document, fields: Iterable[str]) -> dict[str, Any]:
    """Return the asked fields; what has no value is null."""
    get = document.get
    return {name: get(name) for name in fields}


async def get_document(visit: Visit) -> Response:
    """Return one document as it is now."""
    entity = entity_of(visit)
    fields = wanted_fields(visit, entity)
    row = entity.get(visit.path["id"])
    return answers.empty(404) if row is None else answers.reply(reduced(row.document, fields))


async def list_versions(visit: Visit) -> Response:
    """Return when a document changed, newest first: this can prove what a change was, not list changes (NOTES 2.3)."""
    documents = _versions(visit)
    numbered = list(enumerate(documents))
    return answers.reply([{"id": _version_id(at), "date": _date(document)} for at, document in reversed(numbered)])


async def get_version(visit: Visit) -> Response:
    """Return one former state of a document."""
    asked = visit.path["version"]
    found = next((row for at, row in enumerate(_versions(visit)) if _version_id(at) == asked), None)
    if found is None:
        return answers.empty(404)
    author = found.get("updatedBy") or found.get("createdBy")
    return answers.reply({"id": asked, "author": author, "document": found})


def _versions(visit: Visit) -> list[Document]:
    """Return every state of a document, oldest first.

    Raises:
        Refusal: 404 when there is no such document.
    """
    entity, key = entity_of(visit), visit.path["id"].lower()
    row = entity.get(key)
    if row is None:
        raise answers.Refusal(answers.empty(404))
    return [*entity.versions.get(key, ()), row.document]


def _version_id(number: int) -> str:
    return f"_v{number:06d}_"


def _date(document: Document) -> str:
    """Return a version's time: whole seconds and an offset, unlike the document's own."""
    return str(document["updatedIn"] or document["createdIn"])[:19] + "+00:00"


async def list_entities(visit: Visit) -> Response:
    """Return the account's entities."""
    return answers.reply([_told(entity) for entity in visit.shop.entities.values()])


async def get_entity(visit: Visit) -> Response:
    """Return the structure of an entity."""
    entity = entity_of(visit)
    fields = [known.told() for known in entity.fields.values()]
    return answers.reply({**_told(entity), "fields": fields})


def _told(entity: Entity) -> Mapping[str, Any]:
    names = {"CL": "Cliente", "AD": "Endereço"}
    return {
        "acronym": entity.acronym, "name": names.get(entity.acronym, entity.acronym), "primaryKeyType": "GUID",
        "allowGetAll": False,
    }  # fmt: skip
