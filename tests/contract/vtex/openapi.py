"""VTEX's OpenAPI 3.0 files as JSON Schema, for checking answers (and requests) against an operation."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.shared import shared_file


@cache
def specification(name: str) -> dict[str, Any]:
    """Return one of VTEX's files; skips the test where the shared folder is missing."""
    return _converted(json.loads(shared_file(f"contracts/vtex/{name}.json").read_text("utf-8")))


def _converted(node: Any) -> Any:
    """Return the node with OpenAPI's `nullable` in JSON Schema's words."""
    if isinstance(node, list):
        return [_converted(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    made = {name: _converted(value) for name, value in node.items()}
    if made.pop("nullable", False) is True and "type" in made:
        made["type"] = [made["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    return made


def answer_schema(name: str, method: str, path: str, status: int) -> dict[str, Any]:
    """Return the schema of an answer's JSON body."""
    answers = specification(name)["paths"][path][method.lower()]["responses"]
    content = answers[str(status)]["content"]
    schema = next(body["schema"] for kind, body in content.items() if kind.startswith("application/json"))
    while "$ref" in schema:
        schema = _referred(name, schema["$ref"])
    return schema


def _referred(name: str, reference: str) -> dict[str, Any]:
    found: Any = specification(name)
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def answer_headers(name: str, method: str, path: str, status: int) -> set[str]:
    """Return the headers that an answer has."""
    return set(specification(name)["paths"][path][method.lower()]["responses"][str(status)].get("headers", {}))


def answer_example(name: str, method: str, path: str, status: int) -> Any:
    """Return VTEX's own sample of an answer."""
    content = specification(name)["paths"][path][method.lower()]["responses"][str(status)]["content"]
    body = next(body for kind, body in content.items() if kind.startswith("application/json"))
    named = next(iter(body.get("examples", {}).values()), {})
    return body.get("example", named.get("value", body["schema"].get("example")))


def problems(schema: dict[str, Any], document: Any, root: dict[str, Any] | None = None) -> list[str]:
    """Return where a document breaks a schema; references are resolved in `root`."""
    whole = {**(root or {}), **schema}
    found = Draft202012Validator(whole).iter_errors(document)
    return sorted(f"{'/'.join(map(str, error.absolute_path))}: {error.message[:160]}" for error in found)


def unknown_fields(schema: dict[str, Any], document: dict[str, Any]) -> set[str]:
    """Return the fields of an object that VTEX's description does not have."""
    return set(document) - set(schema["properties"])
