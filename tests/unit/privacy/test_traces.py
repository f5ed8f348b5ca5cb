"""How a person is recognised in bytes, and what is no identifier."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.privacy.traces import NotAnIdentifier, Traces

ANA = "ana@shop.com"


def traces(**asked):
    """Return who is asked for."""
    made = Traces("acme", b"secret", "BR")
    made.ask(**{name: [value] for name, value in asked.items()})
    return made


@pytest.mark.parametrize(
    ("raw", "held"),
    [
        (b'{"email":"ana@shop.com"}', True),
        (b'{"email":"Ana@Shop.COM"}', True),
        (b"write to ana@shop.com.", True),
        (b'{"email":"ana@shop.com.br"}', False),
        (b'{"email":"hanna@shop.com"}', False),
        (b'{"email":"ana@shop.community"}', False),
    ],
)
def test_an_address_is_found_whole(raw, held):
    """In any case, and never inside another one."""
    assert traces(emails=ANA).searcher()(raw) is held


@pytest.mark.parametrize("raw", [b'"+5511987654321"', b'"5511987654321"', b"to 5511987654321, now"])
def test_a_phone_is_found_with_and_without_its_plus(raw):
    """Infobip writes it without."""
    assert traces(phones="(11) 98765-4321").searcher()(raw)
    assert not traces(phones="(11) 98765-4322").searcher()(raw)


@given(some.text(alphabet="0123456789abcdef-", min_size=4, max_size=20).filter(lambda text: text.strip("-") == text))
def test_an_id_is_found_as_key_field_and_visitor_and_not_inside_a_longer_one(name):
    """Wherever topics and tables write ids."""
    holds = traces(customers=name).searcher()

    for raw in (f"acme/{name}", f'"{name}"', f"c:{name}", f"offer\x1fall\x1fc:{name}", f"{name}@3"):
        assert holds(raw.encode())
    for raw in (f"acme/{name}0", f"acme/a{name}", f'"{name}-1"'):
        assert not holds(raw.encode())


def test_a_hash_is_found_anywhere():
    """It is long enough to be nobody else's."""
    found = traces(emails=ANA)
    [value] = found.hashes

    assert found.searcher()(b"create/" + value.encode())
    assert not Traces("acme", b"other", "BR").searcher()(value.encode())


@pytest.mark.parametrize("asked", [{"emails": "ana"}, {"phones": "call me"}, {"customers": " "}, {"sessions": ""}])
def test_what_identifies_nobody_is_refused_without_being_quoted(asked):
    """The message says what it should look like."""
    with pytest.raises(NotAnIdentifier) as told:
        traces(**asked)
    assert next(iter(asked.values())).strip() not in str(told.value) or not next(iter(asked.values())).strip()
