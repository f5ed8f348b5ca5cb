"""What stands in a record, whoever wrote it: read, or refused by name."""

import pytest
from pydantic import ValidationError

from schemas.vtex import CustomerRead
from streams.engine.agent import Poison, Record
from streams.models import name_of, wrong_fields


def record(key):
    """Return a record of this key."""
    return Record(key, b"{}", 0, 0)


def test_a_key_names_what_stands_behind_its_store():
    """All of it: names may hold slashes."""
    assert [name_of(record(key)) for key in (b"acme/c1", b"acme/a/b", b"acme")] == ["c1", "a/b", ""]


def test_a_key_that_is_no_text_is_refused():
    """A name that stood for it would be one for many."""
    with pytest.raises(Poison, match="no UTF-8"):
        name_of(record(b"acme/\xff"))


def test_what_is_wrong_is_named_and_no_value_told():
    """Dead letters are read by people; a few names do."""
    with pytest.raises(ValidationError) as caught:
        CustomerRead.model_validate({"customer_id": "c1", "source_version": "", "read_by": "ana@b.co", "email": 1})
    assert wrong_fields(caught.value) == "email, read_by"
