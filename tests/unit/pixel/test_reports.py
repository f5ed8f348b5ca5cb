import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pixel.records import Sender
from connectors.pixel.reports import read_reports
from connectors.pixel.triggers import TriggerError, is_ping, read_hints
from schemas.events import CloudEvent
from schemas.messages import MessageReport
from schemas.personal import hash_value
from schemas.vtex import Hint

SENDER = Sender(store="acme", secret=b"s", country="BR", privacy="none", received=1_795_485_600_000)
DELIVERED = {
    "bulkId": "b",
    "messageId": "C1.m1",
    "to": "5511987654321",
    "sentAt": "2019-11-09T16:00:00.000+0100",
    "doneAt": "2019-11-09T16:00:01.000+0100",
    "messageCount": 2,
    "price": {"pricePerMessage": 0.21, "currency": "BRL"},
    "status": {"groupId": 3, "groupName": "DELIVERED", "id": 5, "name": "DELIVERED_TO_HANDSET"},
    "error": {"groupId": 0, "name": "NO_ERROR", "permanent": False},
}


def reports(document, **options):
    """The reports of a webhook's body, checked against the model of their topic."""
    records, refused = read_reports(document, SENDER, **options)
    return [CloudEvent[MessageReport].model_validate_json(record.value) for record in records], refused


class TestReports:
    def test_a_delivery_tells_message_campaign_price_and_recipient(self):
        """Offsets without a colon, prices in micro-units, the phone as its hash only."""
        ((event,), refused) = reports({"results": [DELIVERED]})

        assert refused == []
        report = event.data
        assert (report.message, report.campaign, report.status) == ("C1.m1", "C1", "delivered")
        assert report.at.isoformat() == "2019-11-09T15:00:01+00:00"
        assert (report.price_micros, report.currency, report.parts) == (210_000, "BRL", 2)
        assert report.recipient == hash_value(b"s", "phone", "+5511987654321")
        assert (report.error, report.vendor_status) == (None, "DELIVERED_TO_HANDSET")

    @pytest.mark.parametrize(
        ("group", "status"),
        [(0, "accepted"), (1, "sent"), (2, "failed"), (3, "delivered"), (4, "failed"), (5, "failed")],
    )
    def test_status_groups(self, group, status):
        """Infobip's general status groups."""
        ((event,), _) = reports([{"messageId": "m", "status": {"groupId": group}}])

        assert event.data.status == status

    @pytest.mark.parametrize(
        ("fields", "campaign"),
        [
            ({"campaignReferenceId": "R", "callbackData": "C"}, "R"),
            ({"callbackData": "C"}, "C"),
            ({"callbackData": '{"campaign": "J"}'}, "J"),
            ({"callbackData": "{broken"}, "C1"),
            ({}, "C1"),
            ({"messageId": "uuid"}, None),
        ],
    )
    def test_the_campaign_is_found(self, fields, campaign):
        """Reference, callback data, or the head of a message id of ours."""
        ((event,), _) = reports({"results": [{**DELIVERED, **fields}]})

        assert event.data.campaign == campaign

    def test_seen_and_clicked(self):
        """Reports of their own shapes; a click happens when it is told (its sendDateTime is the message's)."""
        ((seen, clicked), _) = reports(
            [
                {
                    "messageId": "m",
                    "from": "1",
                    "to": "5511987654321",
                    "sentAt": "2026-11-24T01:00:00Z",
                    "seenAt": "2026-11-24T01:30:00Z",
                },
                {
                    "notificationType": "CLICKED",
                    "recipient": "5511987654321",
                    "url": "https://x",
                    "sendDateTime": 1,
                    "messageId": "m",
                },
            ]
        )

        assert (seen.data.status, seen.data.at.hour) == ("seen", 1)
        assert (clicked.data.status, clicked.data.at) == ("clicked", clicked.receivedtime)
        assert clicked.data.recipient == seen.data.recipient

    def test_redelivery_is_the_same_event(self):
        """Same message, status and time: same id; another status is another event."""
        ((first, again, other), _) = reports(
            [DELIVERED, dict(DELIVERED), {**DELIVERED, "status": {"groupId": 1, "id": 7}}]
        )

        assert first.id == again.id != other.id

    def test_one_unreadable_report_stops_only_itself(self):
        """It is refused with its bytes; its neighbours are kept."""
        (events, refused) = reports({"results": [DELIVERED, {"messageId": "m"}, 5, {**DELIVERED, "doneAt": "soon"}]})

        assert len(events) == 1
        assert [entry.reason.split()[0] for entry in refused] == ["the", "the", "doneAt"]
        assert orjson.loads(refused[0].raw) == {"messageId": "m"}

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**53), 2**53)
            | st.floats(allow_nan=False)
            | st.text(max_size=10),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        (
                            "results",
                            "messageId",
                            "status",
                            "groupId",
                            "price",
                            "pricePerMessage",
                            "currency",
                            "to",
                            "doneAt",
                            "seenAt",
                            "notificationType",
                            "messageCount",
                            "error",
                            "name",
                        )
                    ),
                    inner,
                    max_size=6,
                )
            ),
        )
    )
    def test_any_document_is_read_or_refused(self, document):
        """Every entry ends as a valid report or as a refusal."""
        events, refused = reports(document)

        listed = document.get("results") if isinstance(document, dict) else document
        assert len(events) + len(refused) == (len(listed) if isinstance(listed, list) else 1)


class TestTriggers:
    def test_a_master_data_trigger_is_a_hint(self):
        """All values come as strings (NOTES 2.8)."""
        (record,) = read_hints({"id": "c1", "deleted": "True"}, "customer", SENDER)

        hint = Hint.model_validate_json(record.value)
        assert (record.key, hint.resource, hint.id, hint.deleted) == (b"acme", "customer", "c1", True)

    def test_a_hook_names_its_order(self):
        """Its body has VTEX's own capitals (NOTES 4.5)."""
        (record,) = read_hints({"Domain": "Fulfillment", "OrderId": "v1-01", "State": "invoiced"}, "order", SENDER)

        assert Hint.model_validate_json(record.value).id == "v1-01"

    def test_the_ping_is_recognised(self):
        """VTEX refuses the configuration without a 200 to it."""
        assert is_ping({"hookConfig": "ping"})
        assert not is_ping({"OrderId": "ping"})

    @pytest.mark.parametrize("document", [{}, [], [{}], "x", None, {"id": "ana@example.com"}])
    def test_a_body_that_names_nothing_is_refused(self, document):
        """An e-mail is no document id, and must not stand in vtex.hints."""
        if document == []:
            assert read_hints(document, "customer", SENDER) == []
        else:
            with pytest.raises(TriggerError):
                read_hints(document, "customer", SENDER)
