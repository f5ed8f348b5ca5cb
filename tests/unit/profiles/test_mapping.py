"""What destinations are told of a customer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.profiles import Reach
from schemas.stores import HellotextAccess, InfobipAccess
from streams.profile_rules.mapping import fingerprint, hellotext_fields, infobip_person, reach_of, target_of, value_of
from tests.stores import a_store
from tests.unit.profiles.conftest import a_customer

ACCESS = {"url": "http://h/v1", "business_id": "B", "token": "t"}
FORBIDDEN = set('&<>"/\\\n:(){}=;#\x00\x07\x1b')


def test_documented_and_flat_keys():
    """Hellotext's own material has both (contracts/hellotext NOTES 3)."""
    customer = a_customer(phone="+5511987654321")
    assert hellotext_fields(customer, HellotextAccess(**ACCESS)) == {
        "first_name": "Ana", "email[primary]": "c1@shop.example", "phone[mobile]": "+5511987654321",
    }  # fmt: skip
    assert hellotext_fields(customer, HellotextAccess(**ACCESS, key_style="flat")) == {
        "first_name": "Ana", "email": "c1@shop.example", "phone": "+5511987654321", "reference": "c1",
    }  # fmt: skip


def test_properties_take_any_field():
    """Plain, of the address, and the store's own; booleans as words; what is absent is left out."""
    customer = a_customer(newsletter_opt_in=False, address={"city": "Recife"}, custom={"size": 42, "list": [1]})
    names = {
        "newsletter_opt_in": "P1",
        "address.city": "P2",
        "custom.size": "P3",
        "custom.list": "P4",
        "document": "P5",
    }
    fields = hellotext_fields(customer, HellotextAccess(**ACCESS, properties=names))
    assert {key: value for key, value in fields.items() if key.startswith("property")} == {
        "property_by_id[P1]": "false", "property_by_id[P2]": "Recife", "property_by_id[P3]": "42",
    }  # fmt: skip


def test_an_unknown_field_has_no_value():
    """A typing error in the store's mapping maps nothing."""
    assert value_of(a_customer(), "nothing.such") is None


@given(st.text())
def test_names_are_what_infobip_takes(name):
    """None of the forbidden characters, no line ends, never longer than allowed, never empty."""
    access = InfobipAccess(url="http://i", api_key="k")
    told = infobip_person(a_customer(first_name=name, address={"street": name, "city": name}), access)
    for key, longest in (("firstName", 255), ("address", 256), ("city", 50)):
        assert not FORBIDDEN & set(told.get(key, ""))
        assert 0 < len(told.get(key, "x")) <= longest


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("1990-02-20T00:00:00Z", "1990-02-20"), ("1990-02-30T00:00:00Z", None), ("0001-01-01T00:00:00", None),
        ("ontem", None), (None, None),
    ],
)  # fmt: skip
def test_a_birthday_is_a_day(written, told):
    """Infobip refuses a person for any other; VTEX checks none, and writes a date of its own for none."""
    access = InfobipAccess(url="http://i", api_key="k")
    assert infobip_person(a_customer(birth_date=written), access).get("birthDate") == told


@given(
    st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()),
)  # fmt: skip
def test_fingerprints_tell_fields_apart_and_nothing_else(one, other):
    """Equal exactly when the fields are, whatever their order; another secret or business gives another."""
    mark = fingerprint(b"s", "business", one)
    assert (mark == fingerprint(b"s", "business", other)) == (one == other)
    assert mark == fingerprint(b"s", "business", dict(reversed(one.items())))
    assert mark != fingerprint(b"t", "business", one)
    assert mark != fingerprint(b"s", "another", one)


@pytest.mark.parametrize(
    ("phone", "mobile"),
    [("+5511987654321", True), ("+551133334444", False), ("+12025550123", True), (None, False), ("+5599", False)],
)
def test_only_mobile_numbers_are_reached(phone, mobile):
    """By SMS and WhatsApp alike; North American numbers do not tell, so they may be."""
    assert reach_of(phone) == Reach(sms=mobile, whatsapp=mobile)


def test_ids_belong_to_one_business_at_one_address_or_to_an_account():
    """A store that is connected to another one starts afresh: the old ids name nobody there."""
    infobip = InfobipAccess(url="http://infobip.test", api_key="key", sms_sender="Acme")
    stores = [
        a_store(infobip=infobip),
        a_store(hellotext=HellotextAccess(**ACCESS)),
        a_store(hellotext=HellotextAccess(**{**ACCESS, "business_id": "C"})),
        a_store(hellotext=HellotextAccess(**{**ACCESS, "url": "http://other/v1"})),
    ]
    targets = [target_of("infobip", stores[0]), *(target_of("hellotext", store) for store in stores)]

    assert len(set(targets)) == 5
    assert target_of("hellotext", a_store(hellotext=HellotextAccess(**{**ACCESS, "token": "new"}))) == targets[2]
