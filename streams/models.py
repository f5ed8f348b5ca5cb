"""What stands in a record, its row or request as a model: what cannot be read, or is another store's, is `Poison`."""

from typing import Protocol, Self, TypeVar

from pydantic import ValidationError

from streams.engine.agent import Poison, Record


class OfStore(Protocol):
    """What such models have in common."""

    @property
    def store(self) -> str:
        """The store's name."""

    @classmethod
    def model_validate_json(cls, json_data: bytes, /) -> Self:
        """Read it."""


Found = TypeVar("Found", bound=OfStore)


def name_of(record: Record) -> str:
    """Return what a record's key names after the store.

    Raises:
        Poison: the key is no text.
    """
    try:
        return record.key.partition(b"/")[2].decode()
    except UnicodeDecodeError:
        raise Poison("the record's key is no UTF-8") from None


def wrong_fields(error: ValidationError) -> str:
    """Return where a value is wrong, without the values, which may be personal."""
    places = {".".join(str(part) for part in each["loc"]) for each in error.errors(include_input=False)}
    return ", ".join(sorted(places)[:5])


def read_model(model: type[Found], record: Record) -> Found:
    """Return what a record holds.

    Raises:
        Poison: it is no such thing, or its key names another store.
    """
    try:
        found = model.model_validate_json(record.value or b"")
    except ValidationError as error:
        article = "an" if model.__name__[0] in "AEIOU" else "a"
        raise Poison(f"not {article} {model.__name__}: {error.error_count()} problems") from None
    if found.store != record.store:
        raise Poison("the record's key names another store than its value")
    return found
