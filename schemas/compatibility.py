"""Would an old reader still understand a new value? Compares two JSON Schemas of one topic (DESIGN section 2)."""

from collections.abc import Iterator
from typing import Any


def breaking_changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what in `new` would break a reader written for `old`, one sentence each; an empty list is compatible.

    A reader ignores fields it does not know, so that fields may be added. It breaks when a field disappears, changes
    its type, gains a value that it did not have to expect, or stops being always present.
    """
    return list(_compare(old, new, old.get("$defs", {}), new.get("$defs", {}), "$"))


def _compare(
    old: dict[str, Any], new: dict[str, Any], old_defs: dict[str, Any], new_defs: dict[str, Any], path: str
) -> Iterator[str]:
    old, new = _resolve(old, old_defs), _resolve(new, new_defs)
    added = sorted(_kinds(new, new_defs) - _kinds(old, old_defs))
    if added:
        yield f"{path}: may now be {', '.join(added)}"
    for name, field in old.get("properties", {}).items():
        successor = new.get("properties", {}).get(name)
        if successor is None:
            yield f"{path}.{name}: disappeared"
            continue
        if name in old.get("required", ()) and name not in new.get("required", ()):
            yield f"{path}.{name}: is no longer always present"
        yield from _compare(field, successor, old_defs, new_defs, f"{path}.{name}")
    if "items" in old and "items" in new:
        yield from _compare(old["items"], new["items"], old_defs, new_defs, f"{path}[]")


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _kinds(schema: dict[str, Any], definitions: dict[str, Any]) -> set[str]:
    """Return everything a value may be: its types, or the values of an enumeration."""
    schema = _resolve(schema, definitions)
    if "enum" in schema or "const" in schema:
        return {f"the value {value!r}" for value in schema.get("enum", [schema.get("const")])}
    if "anyOf" in schema:
        return set().union(*(_kinds(part, definitions) for part in schema["anyOf"]))
    return {f"of type {schema['type']}"} if "type" in schema else set()
