"""Money, time, keys and envelopes."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import clock, events, money, partition, topics


class TestMoney:
    @pytest.mark.parametrize(
        ("hundredths", "currency", "minor"),
        [(12990, "BRL", 12990), (1_000_000, "CLP", 10_000), (12990, "KWD", 129_900)],
    )
    def test_vtex_hundredths(self, hundredths, currency, minor):
        """VTEX's hundredths become the currency's own minor units."""
        assert minor == money.from_hundredths(hundredths, currency)

    @given(st.decimals(min_value=-10_000_000, max_value=10_000_000, places=2))
    def test_major_round_trip(self, amount: Decimal):
        """An amount with the currency's own digits survives unchanged."""
        assert Decimal(money.format_amount(money.from_major(amount, "BRL"), "BRL")) == amount

    @pytest.mark.parametrize("nonsense", ["", "abc", "nan", "inf", "1,5"])
    def test_nonsense(self, nonsense):
        """What is no amount is refused, not read as zero."""
        with pytest.raises(ValueError, match="amount"):
            money.from_major(nonsense, "BRL")

    def test_unknown_currency(self):
        """A code that names no currency is refused by name."""
        with pytest.raises(money.UnknownCurrencyError, match="XXQ"):
            money.exponent("XXQ")

    def test_micros(self):
        """A price of 0.21 BRL is 210,000 micros and 21 cents."""
        assert money.to_micros(0.21) == 210_000
        assert money.micros_to_minor(210_000, "BRL") == 21


class TestClock:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2025-03-19T21:44:01.4199691Z", "2025-03-19T21:44:01.419Z"),
            ("2019-11-09T16:00:00.000+0100", "2019-11-09T15:00:00.000Z"),
            ("2019-02-04T10:29:11+00:00", "2019-02-04T10:29:11.000Z"),
            ("2019-02-04T10:29:11", "2019-02-04T10:29:11.000Z"),
        ],
    )
    def test_vendors_spellings(self, text, expected):
        """Seven digits (VTEX), an offset without colon (Infobip) and no zone at all are understood."""
        assert expected == clock.to_text(clock.to_ms(text))

    @given(st.integers(min_value=0, max_value=4_102_444_800_000))
    def test_round_trip(self, ms):
        """Milliseconds survive being written and read."""
        assert clock.to_ms(clock.to_text(ms)) == ms

    def test_local_day(self):
        """A day is the store's day: one in the morning UTC is still yesterday in São Paulo."""
        assert clock.local_day(clock.to_ms("2026-11-24T01:00:00Z"), "America/Sao_Paulo") == date(2026, 11, 23)


class TestKeys:
    @given(st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z"), st.text(max_size=30))
    def test_store_of_key(self, store, rest):
        """A key names its store whatever stands behind the first slash."""
        assert partition.store_of(partition.key_of(store, rest)) == store

    def test_shard_is_contract(self):
        """crc32 of the store's name: other producers and languages depend on this figure."""
        assert partition.shard_of("acme", 4) == 2
        assert {partition.shard_of(f"store{n}", 4) for n in range(50)} == {0, 1, 2, 3}

    def test_names_are_unique(self):
        """No topic is named twice, and every key begins with the store."""
        assert len(topics.BY_NAME) == len(topics.TOPICS)
        assert all(topic.key_parts[0] == "store" for topic in topics.TOPICS)


class TestEnvelope:
    def test_round_trip(self):
        """What is encoded is decoded, with the attributes CloudEvents requires."""
        made = events.event(type="page.viewed", source="pixel", store="acme", data={"a": 1}, time=0, received=1)

        read = events.decode(events.encode(made))

        assert read == made
        assert {"specversion", "id", "source", "type", "time", "store", "receivedtime", "data"} == set(read)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, raw):
        """Any bytes give an event or one clear error, nothing else."""
        with pytest.raises(events.InvalidEventError, match=r"\S"):
            events.decode(raw)

    def test_tombstone(self):
        """A record without a value is named as such."""
        with pytest.raises(events.InvalidEventError, match="no value"):
            events.decode(None)
