"""Mapping of documents and orders; events are what the schemas say, and the same content has the same id."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orjson import loads

from connectors.vtex.customer import customer_fields, latest_address, read_customer
from connectors.vtex.emission import Emitter, content_of
from connectors.vtex.errors import ContractChanged
from connectors.vtex.instants import version_ms
from connectors.vtex.order import hidden_buyer, is_protected, read_order
from sandbox.vtex.shop import Shop
from schemas.clock import to_ms
from schemas.events import CloudEvent
from schemas.stores import VtexAccess
from schemas.vtex import CustomerDeleted, CustomerRead, OrderRead

ACCESS = VtexAccess(account="acme", url="http://x", app_key="k", app_token="t", custom_fields=("loyalty", "vip"))
DOCUMENT = {
    "id": "2F5DDE81-1613-11EA-82EE-12F868FEB457", "userId": "u1", "email": " Ana@Shop.Example ", "firstName": "Ana",
    "lastName": "***", "homePhone": "(11) 98765-4321", "phone": "", "cellPhone": 11987654321, "document": None,
    "isNewsletterOptIn": None, "createdIn": "2026-01-01T00:00:00.1234567Z", "updatedIn": None, "loyalty": "gold",
    "vip": "a*", "rclastcart": "add?sku=1",
}  # fmt: skip
ORDER = {
    "orderId": "1-01", "orderGroup": "1", "status": "invoiced", "value": 4200,
    "creationDate": "2026-01-01T00:00:00+00:00",
    "lastChange": "2026-01-02T00:00:00.7010747+00:00", "sellers": [{"id": "1"}], "origin": "Marketplace",
    "clientProfileData": {"email": "ana@shop.example-85b.ct.vtex.com.br", "phone": "+5511987654321",
                          "firstName": "***", "userProfileId": "u1"},
    "paymentData": {"transactions": [{"payments": [{"firstDigits": "444433", "cvv2": "351"}]}]},
    "storePreferencesData": {"currencyCode": "BRL"},
    "packageAttachment": {"packages": [
        {"type": "Output", "invoiceNumber": "9", "invoiceValue": 4200},
        {"type": "Input", "invoiceNumber": "10", "invoiceValue": 900, "restitutions": {"Refund": {"value": 800}}},
        {"type": "Input", "invoiceNumber": "10", "invoiceValue": 900, "restitutions": {"Refund": {"value": 800}}},
        {"type": "Input", "invoiceNumber": "11", "invoiceValue": 100, "restitutions": {}},
    ]},
    "changesAttachment": {"changesData": [{"incrementValue": 0, "discountValue": 300}]},
    "marketingData": {"utmSource": "hellotext", "utmCampaign": "c1", "marketingTags": []},
}  # fmt: skip


def test_a_document_becomes_what_is_mapped_and_nothing_else():
    """One case of ids, no masks, no blanks, opt-in null kept unknown, custom fields as chosen."""
    data = read_customer(DOCUMENT, ACCESS, "search")
    assert data == {
        "customer_id": "2f5dde81-1613-11ea-82ee-12f868feb457", "source_version": "2026-01-01T00:00:00.1234567Z",
        "read_by": "search", "user_id": "u1", "email": "ana@shop.example", "first_name": "Ana",
        "home_phone": "(11) 98765-4321", "cell_phone": "11987654321", "custom": {"loyalty": "gold"},
    }  # fmt: skip
    CustomerRead.model_validate(data)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (11987654321.0, "11987654321"), (1.5, "1.5"), ("Ana\x00\tB\x07", "Ana B"), ("\x00", None),
        ("x" * 2_000_000, "x" * 1000), ({"a": 1}, None), (["x"], None), (True, None),
    ],
)  # fmt: skip
def test_texts_are_texts(written, told):
    """Numbers as they are dialled, nothing that no name holds, and nothing that outgrows a record."""
    assert read_customer({**DOCUMENT, "firstName": written}, ACCESS, "search").get("first_name") == told
    order = {**ORDER, "clientProfileData": {**ORDER["clientProfileData"], "lastName": written}}
    assert read_order(order, "BRL", "feed")["buyer"].get("last_name") == told


@pytest.mark.parametrize("version", ["9999-12-31T23:59:59-14:00", "zzz", 7, {"a": 1}, ""])
def test_a_time_that_is_none_makes_no_version(version):
    """It must not end the reading of others, nor be newer than every time to come."""
    data = read_customer({**DOCUMENT, "updatedIn": version}, ACCESS, "search")
    assert data["source_version"] == (version if version == "9999-12-31T23:59:59-14:00" else DOCUMENT["createdIn"])
    assert version_ms("9999-12-31T23:59:59-14:00") is None


@pytest.mark.parametrize(
    "odd",
    [
        {"value": 1e300},
        {"value": [1]},
        {"creationDate": "9999-12-31T23:59:59-14:00"},
        {"changesAttachment": {"changesData": [{"incrementValue": 1e300}]}},
        {"packageAttachment": {"packages": [{"type": "Input", "invoiceNumber": "1", "invoiceValue": 1e300}]}},
    ],
)
def test_an_order_with_a_number_that_cannot_be_is_unreadable(odd):
    """It becomes a dead letter, and does not stop the reader of all orders."""
    with pytest.raises(ContractChanged, match=next(iter(odd))):
        read_order({**ORDER, **odd}, "BRL", "feed")


def test_a_field_of_the_stores_own_that_nobody_takes_is_left_out():
    """A picture in a custom field would make a record that the broker refuses, and the store would stand still."""
    data = read_customer({**DOCUMENT, "loyalty": "x" * 2_000_000, "vip": {"since": 2020}}, ACCESS, "search")
    assert data["custom"] == {"vip": {"since": 2020}}
    many = tuple(f"field{number}" for number in range(50))
    access = ACCESS.model_copy(update={"custom_fields": many})
    data = read_customer({**DOCUMENT, **dict.fromkeys(many, "x" * 16_000)}, access, "search")
    assert sorted(data["custom"]) == ["field0", "field1", "field2", "field3"]


def test_another_field_may_tell_the_opt_in():
    """Stores write it where they like (NOTES 2.5)."""
    access = ACCESS.model_copy(update={"opt_in_field": "acceptsOffers"})
    assert read_customer({**DOCUMENT, "acceptsOffers": "True"}, access, "search")["newsletter_opt_in"] is True
    assert "acceptsOffers" in customer_fields(access)
    assert "isNewsletterOptIn" not in customer_fields(access)
    assert len(set(customer_fields(ACCESS))) == len(customer_fields(ACCESS))


def test_a_document_without_an_id_is_refused():
    """It was asked for: the contract has changed."""
    with pytest.raises(ContractChanged, match="without its id"):
        read_customer({"email": "x"}, ACCESS, "search")


def test_the_address_that_changed_last_counts():
    """By coalesce(updatedIn, createdIn); of equal ones always the same."""
    old = {"id": "a", "createdIn": "2026-01-01T00:00:00Z", "updatedIn": "2026-03-01T00:00:00Z", "city": "Recife"}
    new = {"id": "b", "createdIn": "2026-02-01T00:00:00Z", "updatedIn": None, "city": "***", "state": "SP"}
    assert latest_address([new, old]) is old
    assert latest_address([]) is None
    assert read_customer(DOCUMENT, ACCESS, "address", new)["address"] == {"state": "SP"}


def test_an_order_is_reduced():
    """Distinct return invoices, changes, marketing; soft mask taken off; no card data, no `***`."""
    data = read_order(ORDER, "USD", "feed")
    read = OrderRead.model_validate(data)
    assert [(each.invoice_number, each.value) for each in read.returns] == [("10", 800), ("11", 100)]
    assert (read.value, read.currency, read.changes_value, read.seller) == (4200, "BRL", -300, "1")
    assert (read.buyer.email, read.buyer.first_name) == ("ana@shop.example", None)
    assert read.marketing.utm_campaign == "c1"
    assert "444433" not in str(data)
    assert "351" not in str(data)
    assert data["changed_at"] == "2026-01-02T00:00:00.7010747Z"


def _returned(*packages):
    order = {**ORDER, "packageAttachment": {"packages": [{"type": "Input", **package} for package in packages]}}
    return [each["value"] for each in read_order(order, "USD", "feed")["returns"]]


def test_returns_without_a_number_are_told_apart_by_day_and_value():
    """Each is money; the same one written twice by a race (NOTES 4.2) is one."""
    monday, friday = "2026-01-05T10:00:00+00:00", "2026-01-09T10:00:00+00:00"
    assert _returned(
        {"invoiceNumber": None, "invoiceValue": 100, "issuanceDate": monday},
        {"invoiceNumber": None, "invoiceValue": 100, "issuanceDate": friday},
        {"invoiceValue": 100, "issuanceDate": monday},
        {"invoiceNumber": "", "invoiceValue": 250},
    ) == [100, 100, 250]  # fmt: skip


def test_money_written_as_text_is_money():
    """A refund that cannot be read is said so; it is never left out."""
    assert _returned({"invoiceNumber": 1, "invoiceValue": "250"}, {"invoiceNumber": 2, "invoiceValue": "99.0"}) == [
        250, 99,
    ]  # fmt: skip
    assert _returned({"invoiceNumber": "3", "invoiceValue": 7, "restitutions": {"Refund": {"value": "5"}}}) == [5]
    assert _returned({"invoiceNumber": "4"}) == []
    with pytest.raises(ContractChanged, match="packageAttachment"):
        _returned({"invoiceNumber": "5", "invoiceValue": "much"})


@pytest.mark.parametrize(
    ("email", "looked_up"),
    [
        ("ff2e6348a53a4d449af92be2a1011328@ct.vtex.com.br", "u1"), (None, "u1"), ("***", "u1"),
        ("ana@shop.example-85b.ct.vtex.com.br", None), ("ana@shop.example", None),
        ("abc@mercadolibre.com", None),
    ],
)  # fmt: skip
def test_only_hidden_buyers_are_looked_up(email, looked_up):
    """A hard mask says nothing; a soft one says all (NOTES 4.3)."""
    assert hidden_buyer({"clientProfileData": {"email": email, "userProfileId": "u1"}}) == looked_up


def test_the_pii_architecture_is_recognised_by_its_masks():
    """`j***.d**@e******.c**` is no address (NOTES 3)."""
    assert is_protected({"clientProfileData": {"email": "j***.d**@e******.c**"}})
    assert not is_protected({"clientProfileData": {"email": "ff2e6348a53a4d449af92be2a1011328@ct.vtex.com.br"}})
    assert not is_protected({"clientProfileData": None})


@pytest.mark.parametrize("missing", ["orderId", "creationDate", "value"])
def test_an_order_without_what_every_order_has_is_refused(missing):
    """The message names the field and none of the order's values."""
    order = {name: value for name, value in ORDER.items() if name != missing}
    with pytest.raises(ContractChanged, match=missing) as refused:
        read_order(order, "BRL", "feed")
    assert "ana" not in str(refused.value)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("2026-11-26T10:00:00.1234567+00:00", "2026-11-26T10:00:00.1234567Z"),
        ("2026-11-26T07:00:00.1234568-03:00", "2026-11-26T10:00:00.1234568Z"),
        ("2026-11-26T10:00:00.5Z", "2026-11-26T10:00:00.5Z"),
        ("2026-11-26T10:00:00", "2026-11-26T10:00:00.000Z"),
    ],
)
def test_the_time_of_a_change_keeps_its_seven_digits(told, kept):
    """Two changes within a millisecond are two; the schema reads both."""
    data = read_order({**ORDER, "lastChange": told}, "BRL", "feed")
    assert data["changed_at"] == kept
    assert OrderRead.model_validate(data).changed_at.timestamp() == pytest.approx(to_ms(told) / 1000, abs=0.001)


def test_sandbox_orders_of_every_kind_are_read():
    """Several sellers, other currencies, guests, asterisks: whatever the sandbox can place."""
    for currency in ("BRL", "CLP", "MXN"):
        shop = Shop("acme", currency=currency)
        first = shop.place_order({"email": "ana@shop.example", "items": [
            {"sku": "1", "price": 100, "quantity": 2}, {"sku": "2", "price": 50, "quantity": 1, "seller": "other"},
        ]})  # fmt: skip
        read = OrderRead.model_validate(read_order(shop.order(first), "BRL", "feed"))
        assert read.currency == currency


@given(st.dictionaries(st.sampled_from(sorted(ORDER)), st.none() | st.text(max_size=5) | st.integers() | st.just([])))
def test_no_order_breaks_the_reader(changes):
    """Whatever stands in an order, it is read or refused."""
    try:
        data = read_order({**ORDER, **changes}, "BRL", "feed")
    except ContractChanged:
        return
    assert data["order_id"]


class TestEmitter:
    emitter = Emitter("acme", "acme-account")

    def test_the_same_content_has_the_same_id(self):
        """Read again, for another reason, at another time: recognisable."""
        first = read_customer(DOCUMENT, ACCESS, "scroll")
        again = read_customer(DOCUMENT, ACCESS, "hint")
        one = loads(self.emitter.customer(first, content_of(first), 1)[1])
        two = loads(self.emitter.customer(again, content_of(again), 10**12)[1])
        assert one["id"] == two["id"]
        changed = read_customer({**DOCUMENT, "firstName": "Bia"}, ACCESS, "scroll")
        assert loads(self.emitter.customer(changed, content_of(changed), 1)[1])["id"] != one["id"]

    def test_events_are_what_the_schemas_say(self):
        """Envelope and data; keys name store and subject; the time is the version's."""
        data = read_customer(DOCUMENT, ACCESS, "scroll")
        key, value = self.emitter.customer(data, content_of(data), 1_795_687_200_000)
        event = CloudEvent[CustomerRead].model_validate_json(value)
        assert (key, event.type) == (b"acme/2f5dde81-1613-11ea-82ee-12f868feb457", "vtex.customer.changed")
        assert event.time.isoformat() == "2026-01-01T00:00:00.123000+00:00"
        key, value = self.emitter.deleted("c1", "scan", 1_795_687_200_000)
        assert CloudEvent[CustomerDeleted].model_validate_json(value).data.customer_id == "c1"
        order = read_order(ORDER, "BRL", "feed")
        key, value = self.emitter.order(order, content_of(order), 1_795_687_200_000)
        assert key == b"acme/1-01"
        assert CloudEvent[OrderRead].model_validate_json(value).subject == "1-01"
