"""Infobip People: persons, matched by external id, e-mail or phone (contracts/infobip CONTRACT 2, 3)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.infobip.answers import Document, people

MOST: Final = 1000
_EMAIL: Final = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s.]+$")
_PHONE: Final = re.compile(r"^\d{7,15}$")
_DAY: Final = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_LANGUAGE: Final = re.compile(r"^[a-z]{2}(-[A-Z]{2})?$")
_FORBIDDEN: Final = re.compile(r"[&<>\"/\\\n:(){}=;#]")
_LONGEST: Final = {
    "externalId": 256, "firstName": 255, "middleName": 50, "lastName": 255, "country": 50, "city": 50, "address": 256,
}  # fmt: skip
_INVALID: Final = 400100
_AMBIGUOUS: Final = 409100
"""Unpublished which code it is (CONTRACT 2); the enum has this one."""


@dataclass(slots=True)
class People:
    """The persons of one account.

    Attributes:
        attributes: custom attributes by name; one must be defined before it is used.
        strict: whether an undefined one refuses the person (assumed: CONTRACT 3).
        writes: how many items changed something.
    """

    persons: dict[int, Document] = field(default_factory=dict)
    attributes: dict[str, Document] = field(default_factory=dict)
    strict: bool = False
    writes: int = 0
    _holders: dict[tuple[str, str], int] = field(default_factory=dict)

    def upsert(self, body: Mapping[str, Any], *, replace: bool) -> Document:
        """Return the answer to an upsert: results and errors by index, whatever became of each.

        Raises:
            Refusal: 400 for the whole request.
        """
        persons = body.get("persons")
        if not isinstance(persons, list) or not persons:
            raise people(400104, "Missing property", "persons")
        if len(persons) > MOST:
            raise people(400100, f"At most {MOST} persons", "persons")
        results: list[Document] = []
        errors: list[Document] = []
        for index, person in enumerate(persons):
            wrong = list(self._problems(person, f"persons[{index}]"))
            if wrong:
                details = [{"property": name, "message": text} for name, text in wrong]
                errors.append({"code": _INVALID, "message": wrong[0][1], "details": details, "index": index})
                continue
            found = self.matching(person)
            if len(found) > 1:
                message = "Contact information belongs to other persons"
                errors.append({"code": _AMBIGUOUS, "message": message, "details": [], "index": index})
                continue
            results.append({**self._write(person, next(iter(found), None), replace=replace), "index": index})
        return {"results": results, "errors": errors}

    def matching(self, person: Mapping[str, Any]) -> set[int]:
        """Return the persons who have any of the identifiers."""
        return {id_ for key in _identifiers(person) if (id_ := self._holders.get(key)) is not None}

    def get(self, kind: str, identifier: str) -> Document | None:
        """Return a person by `ID`, `EXTERNAL_ID`, `PHONE` or `EMAIL`."""
        if kind == "ID":
            return self.persons.get(int(identifier)) if identifier.isdigit() else None
        id_ = self._holders.get((kind, _normal(kind, identifier)))
        return None if id_ is None else self.persons[id_]

    def delete(self, person: Mapping[str, Any]) -> None:
        """Delete a person."""
        for key in _identifiers(person):
            self._holders.pop(key, None)
        del self.persons[person["id"]]

    def _write(self, given: Mapping[str, Any], id_: int | None, *, replace: bool) -> Document:
        before = self.persons.get(id_ or 0, {})
        new_id = id_ or len(self.persons) + self.writes + 1
        kept = {} if replace else dict(before)
        attributes = {**kept.get("customAttributes", {}), **given.get("customAttributes", {})}
        after = {**kept, **given, "id": new_id, "type": given.get("type") or before.get("type") or "CUSTOMER"}
        if attributes:
            after["customAttributes"] = attributes
        if after == before:
            return {"id": new_id, "status": "NOT_MODIFIED"}
        for key in _identifiers(before):
            self._holders.pop(key, None)
        self.persons[new_id] = after
        self._holders.update(dict.fromkeys(_identifiers(after), new_id))
        self.writes += 1
        return {"id": new_id, "status": "UPDATED" if before else "CREATED"}

    def _problems(self, person: object, at: str) -> Iterator[tuple[str, str]]:
        if not isinstance(person, dict):
            yield at, "No person"
            return
        for name, longest in _LONGEST.items():
            if len(str(person.get(name) or "")) > longest:
                yield f"{at}.{name}", f"At most {longest} characters"
        for name in ("firstName", "middleName", "lastName"):
            if _FORBIDDEN.search(str(person.get(name) or "")):
                yield f"{at}.{name}", "Forbidden characters"
        yield from _forms(person, at)
        if not list(_identifiers(person)):
            yield f"{at}.contactInformation", "A phone, an e-mail or an external id is needed"
        for name in person.get("customAttributes") or {} if self.strict else ():
            if name not in self.attributes:
                yield f"{at}.customAttributes.{name}", "Attribute is not defined"


def _forms(person: Mapping[str, Any], at: str) -> Iterator[tuple[str, str]]:
    if person.get("gender") not in {None, "MALE", "FEMALE"}:
        yield f"{at}.gender", "MALE or FEMALE"
    if person.get("birthDate") is not None and not _DAY.match(str(person["birthDate"])):
        yield f"{at}.birthDate", "YYYY-MM-DD"
    if person.get("preferredLanguage") is not None and not _LANGUAGE.match(str(person["preferredLanguage"])):
        yield f"{at}.preferredLanguage", "xx or xx-YY"
    contacts = person.get("contactInformation")
    if contacts is not None and not isinstance(contacts, list):
        yield f"{at}.contactInformation", "An array of contacts"
        return
    for number, contact in enumerate(contacts or ()):
        form = {"EMAIL": _EMAIL, "PHONE": _PHONE}.get(contact.get("type"))
        if form is None or not form.match(str(contact.get("identifier"))):
            yield f"{at}.contactInformation[{number}].identifier", "Contact is invalid"


def _identifiers(person: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if person.get("externalId"):
        yield "EXTERNAL_ID", str(person["externalId"])
    contacts = person.get("contactInformation")
    for contact in contacts if isinstance(contacts, list) else ():
        yield contact["type"], _normal(contact["type"], str(contact["identifier"]))


def _normal(kind: str, identifier: str) -> str:
    return identifier.lower() if kind == "EMAIL" else identifier.lstrip("+") if kind == "PHONE" else identifier


def as_v2(person: Mapping[str, Any]) -> Document:
    """Return a person as People v2 shows them: contacts are an object there (CONTRACT 3)."""
    contacts = person.get("contactInformation") or []
    return {**person, "contactInformation": {
        "phone": [{"number": contact["identifier"]} for contact in contacts if contact["type"] == "PHONE"],
        "email": [{"address": contact["identifier"]} for contact in contacts if contact["type"] == "EMAIL"],
    }}  # fmt: skip
