"""What Hellotext's answers tell, read tolerantly: most shapes are undocumented (contracts/hellotext NOTES 7). Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_WRAPPERS: Final = ("profile", "message", "data")
_ERRORS: Final = ("errors", "error")
_UNSEEN: Final = object()


def problems(document: Any) -> Iterator[str]:
    """Yield the kinds of errors and the parameters named by an error document: never its texts (B6).

    `errors` is documented; some routes use `error`, some nest.
    """
    if not isinstance(document, Mapping):
        return
    for name in _ERRORS:
        found = document.get(name)
        for entry in found if isinstance(found, list) else [found]:
            if isinstance(entry, Mapping):
                yield from (str(entry[key]) for key in ("type", "parameter") if entry.get(key))
                yield from problems(entry)


def tells_errors(document: Any) -> bool:
    """Say whether an answer tells an error and no `id`: with a status of success, nobody knows what it has done."""
    told = isinstance(document, Mapping) and any(document.get(name) for name in _ERRORS)
    return told and id_of(document) is None


def id_of(document: Any) -> str | None:
    """Return the `id` of an answer, at its top or one level below."""
    for place in _places(document):
        found = place.get("id")
        if isinstance(found, str) and found:
            return found
        if isinstance(found, int) and not isinstance(found, bool):
            return str(found)
    return None


def state_of(document: Any) -> str | None:
    """Return the `state` of an answer, at its top or one level below, in lower case."""
    for place in _places(document):
        found = place.get("state") or place.get("status")
        if isinstance(found, str) and found:
            return found.lower()
    return None


def shows(document: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Say whether a profile shows every one of these fields with just this value.

    What cannot be seen counts as different: the caller then writes once more, which changes nothing if it stood.
    Properties are written in the background after an answer (B1), so a difference may also be mere lag.
    """
    return all(_shown(document, name) == value for name, value in fields.items())


def _shown(document: Mapping[str, Any], name: str) -> Any:
    base, _, inner = name.rstrip("]").partition("[")
    for place in _places(document):
        for key in (name, base):
            found = place.get(key)
            if inner and isinstance(found, Mapping):
                found = found.get(inner)
            if isinstance(found, str | int | bool):
                return found
    return _UNSEEN


def _places(document: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(document, Mapping):
        return
    yield document
    for name in _WRAPPERS:
        inner = document.get(name)
        if isinstance(inner, Mapping):
            yield inner
