import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pixel.records import Sender, seal
from connectors.pixel.wire import (
    Told,
    WireError,
    consent,
    instant,
    read_acknowledgement,
    read_event,
    read_identification,
)
from schemas.clock import to_ms, to_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    (
        "session",
        "user_parameters",
        "user",
        "action",
        "amount",
        "currency",
        "tracked_at",
        "object",
        "object_type",
        "url",
        "page",
        "utm_params",
        "event_id",
        "consent",
        "at",
        "metadata",
        "object_parameters",
        "user_id",
        "email",
        "source",
    )
)


class TestReadEvent:
    def test_reads_what_the_current_client_sends(self):
        """Every part of the body of 2.3.6 and later finds its field (A3.1)."""
        told = read_event(
            {
                "session": "S",
                "user_parameters": {"id": "u1", "source": "vtex"},
                "action": "cart.added",
                "amount": 10.5,
                "currency": "BRL",
                "object_parameters": {"items": []},
                "custom": 1,
                "page": {"url": "https://shop/p?x=1", "title": "T", "path": "/p"},
                "utm_params": {
                    "source": "hellotext",
                    "medium": "sms",
                    "campaign": "C1",
                    "observed_at": "2026-11-24T02:00:00Z",
                },
            }
        )

        assert told == Told(
            kind="event",
            action="cart.added",
            session="S",
            identity={"customer": "u1", "source": "vtex"},
            amount="10.5",
            currency="BRL",
            parameters={"object_parameters": {"items": []}, "custom": 1},
            page={"url": "https://shop/p?x=1", "title": "T", "path": "/p"},
            utm={"source": "hellotext", "medium": "sms", "campaign": "C1", "observed_at": 1_795_485_600_000},
        )

    def test_reads_what_clients_before_2_1_5_sent(self):
        """The address stands at the top level, and there is no page, UTM or user."""
        told = read_event({"session": "S", "action": "page.viewed", "url": "https://shop/p"})

        assert (told.page, told.utm, told.identity) == ({"url": "https://shop/p"}, None, {})

    def test_reads_the_user_of_2_3_0(self):
        """2.3.0 called it `user`."""
        assert read_event({"action": "x", "user": {"id": "u1", "source": "vtex"}}).identity == {
            "customer": "u1",
            "source": "vtex",
        }

    def test_reads_the_ios_app(self):
        """`app_parameters` say that an app sent it; they and the device are kept."""
        told = read_event(
            {"session": "S", "action": "app.installed", "app_parameters": {"v": 1}, "device": {"os": "iOS"}}
        )

        assert told.app
        assert told.parameters == {"app_parameters": {"v": 1}, "device": {"os": "iOS"}}

    @pytest.mark.parametrize("session", ["undefined", "null", "", "  ", None])
    def test_an_undefined_session_is_none(self, session):
        """The literal text `undefined` really arrives (A6)."""
        assert read_event({"action": "x", "session": session}).session is None

    @pytest.mark.parametrize(
        ("body", "order"),
        [
            ({"object_parameters": {"reference": "v1"}}, "v1"),
            ({"object": "o1"}, "o1"),
            ({"metadata": {"orderGroup": "v2"}}, "v2"),
            ({"object_parameters": {"orderId": "v3"}, "object": "o1"}, "v3"),
        ],
    )
    def test_order_actions_carry_the_order_reference(self, body, order):
        """Wherever the page put it."""
        assert read_event({"action": "order.placed", **body}).order == order

    def test_other_actions_carry_no_order(self):
        """A product's reference is no order."""
        assert read_event({"action": "product.viewed", "object_parameters": {"reference": "p"}}).order is None

    @pytest.mark.parametrize(
        "body",
        [
            {"action": "checkout.started", "object_parameters": {"reference": "f1"}},
            {"action": "cart.added", "metadata": {"orderFormId": "f1"}},
            {"action": "cart.added", "order_form": "f1"},
            {"action": "cart.added", "object_parameters": {"orderForm": {"id": "f1"}}},
        ],
    )
    def test_an_order_form_is_found(self, body):
        """checkout.started refers to it; any other event may carry it."""
        assert read_event(body).order_form == "f1"

    @pytest.mark.parametrize(
        ("body", "parameter"),
        [
            ({}, "action"),
            ({"action": ""}, "action"),
            ({"action": "undefined"}, "action"),
            ({"action": 5}, "action"),
            ({"action": True}, "action"),
            ({"action": ["page.viewed"]}, "action"),
            ({"action": "x", "currency": "BRL"}, "amount"),
            ({"action": "x", "amount": "many", "currency": "BRL"}, "amount"),
            ({"action": "x", "amount": True, "currency": "BRL"}, "amount"),
            ({"action": "x", "amount": [1]}, "amount"),
            ({"action": "x", "amount": "1e999"}, "amount"),
            ({"action": "x", "amount": "1." + "1" * 64}, "amount"),
            ({"action": "x", "tracked_at": "yesterday"}, "tracked_at"),
            ({"action": "x", "tracked_at": {}}, "tracked_at"),
            ({"action": "x", "tracked_at": True}, "tracked_at"),
            ({"action": "x", "tracked_at": -5}, "tracked_at"),
            ({"action": "x", "tracked_at": 0.0001}, "tracked_at"),
        ],
    )
    def test_a_breach_of_the_contract_names_its_parameter(self, body, parameter):
        """The entry has all four fields, since Hellotext's own pages differ."""
        with pytest.raises(WireError) as caught:
            read_event(body)

        (entry,) = caught.value.errors
        assert entry["parameter"] == parameter
        assert entry["description"] == entry["message"]
        assert entry["type"].startswith("parameter_")

    @given(st.dictionaries(FIELDS | st.text(max_size=8), JSON, max_size=8))
    def test_any_json_object_is_read_or_refused(self, body):
        """Nothing else can come out of any body, for any of the three readers."""
        for read in (read_event, read_acknowledgement, read_identification):
            try:
                told = read(body)
            except WireError:
                continue
            assert isinstance(told, Told)


class TestReadIdentification:
    def test_the_checkout_helper_identifies_by_the_email(self):
        """vtex-checkout's names find their fields; `user_id` is the e-mail itself (A3.4)."""
        told = read_identification(
            {
                "session": "S",
                "user_id": "a@b.co",
                "id": "i1",
                "email": "a@b.co",
                "firstName": "Ana",
                "lastName": "Sá",
                "phone": "+5511987654321",
                "document": "123",
                "source": "vtex",
                "vip": True,
            }
        )

        assert told.identity == {
            "customer": "a@b.co",
            "email": "a@b.co",
            "first_name": "Ana",
            "last_name": "Sá",
            "phone": "+5511987654321",
            "document": "123",
            "source": "vtex",
            "other": {"id": "i1", "vip": True},
        }

    def test_a_guest_who_typed_nothing_is_nobody(self):
        """All fields may be absent."""
        assert read_identification({"session": "S"}).identity == {}


class TestInstant:
    @pytest.mark.parametrize(
        "value", [1_795_485_600, "1795485600", 1_795_485_600_000, "2026-11-24T02:00:00Z", "2026-11-23T23:00:00-0300"]
    )
    def test_seconds_milliseconds_and_iso_are_the_same_instant(self, value):
        """Unix seconds are documented; a number too large for seconds is milliseconds."""
        assert instant(value) == 1_795_485_600_000

    @given(st.integers(1, 10**10))
    def test_every_second_comes_back(self, seconds):
        """No rounding on the way."""
        assert instant(seconds) == seconds * 1000


@pytest.mark.parametrize(
    ("value", "choice"),
    [
        ("granted", "granted"),
        (True, "granted"),
        ("denied", "denied"),
        (False, "denied"),
        (None, None),
        ("maybe", None),
        ({"analytics": True, "ads": False}, "denied"),
        ({"analytics": "granted"}, "granted"),
        ([], None),
    ],
)
def test_consent_is_read_in_every_usual_form(value, choice):
    """One purpose denied is a denial: we cannot know which purpose we are."""
    assert consent(value) == choice


class TestClock:
    """A sender's wrong clock shows in its own time of sending."""

    @pytest.mark.parametrize(
        ("ahead", "sent", "tracked", "at"),
        [
            (0, 0, -60_000, -60_000),
            (7_200_000, 0, -60_000, -60_000),
            (-7_200_000, 0, -60_000, -60_000),
            (3_000, 0, -60_000, -57_000),
            (7_200_000, None, -60_000, 7_140_000),
        ],
    )
    def test_is_corrected_where_it_is_told(self, ahead, sent, tracked, at):
        """By our clock it happened a minute ago, whatever the browser's says; a slow network is no wrong clock."""
        now = 1_800_000_000_000
        body = {"action": "x", "tracked_at": (now + tracked + ahead) / 1000}
        if sent is not None:
            body["sent_at"] = to_text(now + ahead)
        sealed = seal(read_event(body), Sender("acme", b"s", "BR", "none", now))

        assert to_ms(orjson.loads(sealed.event.value)["data"]["tracked_at"]) == now + at

    def test_is_no_part_of_the_event(self):
        """Neither of its parameters nor of a person's values."""
        told = read_identification({"user_id": "u", "sent_at": 1.0, "tracked_at": 2.0})

        assert told.identity == {"customer": "u"}
        assert read_event({"action": "x", "sent_at": "nonsense"}).parameters == {}
