"""The balance of records and fates: lost, doubled, in flight, removed; alone, without a broker."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kafka.audit import AuditReport
from connectors.kafka.audit_rules import Account, Balance, Ledger, Summary, store_in


def summary(first, last, counted=None, *, store="acme", agent="tracking", part="0", **counts):
    """Return a summary; every offset of the span is counted unless told otherwise."""
    number = last - first + 1 - sum(counts.values()) if counted is None else counted
    return Summary(store, agent, "pixel.events", first, last, part, {"counted": number, **counts})


def judge(records, summaries, *, start=0, committed=None, compacted=False):
    """Return the balance of a store, its records and summaries taken in as an audit does."""
    records = sorted(records)
    ledger = Ledger(start, max(records, default=-1) + 1 if committed is None else committed, compacted=compacted)
    rest = iter([*records, None])
    following = next(rest)
    for one in summaries:
        while following is not None and following <= one.last:
            ledger.record(following)
            following = next(rest)
        ledger.summary(one)
    while following is not None:
        ledger.record(following)
        following = next(rest)
    return ledger.close()


class TestBalance:
    def test_every_fate_has_its_place(self):
        """Counted, duplicate, filtered, dead, and what is not committed yet."""
        told = [summary(0, 4, duplicate=1, filtered=1), summary(5, 7, dead=1)]
        balance = judge(range(10), told, committed=8)

        assert balance == Balance(accepted=10, counted=5, duplicate=1, filtered=1, dead=1, in_flight=2)
        assert (balance.balance, balance.balanced) == (0, True)
        assert balance.as_json()["balance"] == 0

    def test_fates_of_what_was_committed_after_the_snapshot_are_left_out(self):
        """Workers go on while the audit reads: those records are in flight."""
        balance = judge(range(10), [summary(0, 4), summary(5, 9)], committed=5)

        assert balance == Balance(accepted=10, counted=5, in_flight=5)

    def test_offsets_of_other_stores_and_control_records_are_no_records(self):
        """A span has gaps."""
        assert judge([0, 3, 7], [summary(0, 7, counted=3)], committed=12).balanced

    def test_several_summaries_may_share_a_span(self):
        """A summary names 1000 uncounted records at most; and two agents may share a topic's records."""
        told = [
            summary(0, 9, counted=2, part="0", duplicate=3), summary(0, 9, counted=0, part="1000", duplicate=2),
            summary(0, 9, counted=3, agent="orders"),
        ]  # fmt: skip

        assert judge(range(10), told) == Balance(accepted=10, counted=5, duplicate=5)


class TestLost:
    @pytest.mark.parametrize(
        ("told", "lost"),
        [
            ([summary(0, 9, counted=9)], 1), ([summary(0, 4), summary(6, 9)], 1), ([summary(1, 9)], 1),
            ([summary(0, 7)], 2), ([], 10),
        ],
    )  # fmt: skip
    def test_a_committed_record_without_a_fate_is_lost(self, told, lost):
        """Too few fates in its span, or no span at all."""
        balance = judge(range(10), told)

        assert (balance.accepted, balance.lost, balance.doubled, balance.balance) == (10, lost, 0, lost)
        assert not balance.balanced

    def test_one_lost_and_one_doubled_do_not_cancel_out(self):
        """Each span is compared by itself."""
        balance = judge(range(10), [summary(0, 4, counted=4), summary(5, 9, counted=6)])

        assert (balance.lost, balance.doubled, balance.balance, balance.balanced) == (1, 1, 0, False)


class TestDoubled:
    @pytest.mark.parametrize("compacted", [False, True])
    @pytest.mark.parametrize(
        ("told", "doubled"),
        [
            ([summary(0, 9), summary(0, 9)], 10),
            ([summary(0, 4), summary(0, 4), summary(5, 9)], 5),
            ([summary(0, 4), summary(3, 9)], 2),
            ([summary(0, 4), summary(5, 9), summary(2, 4)], 3),
        ],
    )
    def test_a_span_told_again_has_doubled(self, told, doubled, compacted):
        """Whether the topic is compacted or not: spans of one agent do not overlap."""
        balance = judge(range(10), told, compacted=compacted)

        assert (balance.accepted, balance.doubled, balance.lost, balance.balance) == (10, doubled, 0, -doubled)

    def test_more_fates_than_records_have_doubled(self):
        """A record was counted twice in one batch."""
        assert judge(range(5), [summary(0, 4, counted=6)]).doubled == 1


class TestRemoval:
    def test_compaction_is_no_doubling(self):
        """Fates stay when their records were compacted away: those had been accepted."""
        balance = judge([3, 9], [summary(0, 4, duplicate=2), summary(5, 9)], compacted=True)

        assert balance == Balance(accepted=10, counted=8, duplicate=2)

    def test_a_lost_record_of_a_compacted_topic_is_found_where_nothing_covers_it(self):
        """Removal explains a surplus of fates, never a lack of them."""
        assert judge([3, 5, 9], [summary(0, 4), summary(6, 9)], compacted=True).lost == 1
        assert judge(range(5), [summary(0, 4, counted=4)], compacted=True).lost == 1

    def test_retention_is_no_doubling(self):
        """Spans below the beginning are not judged; the one across it has fates of removed records."""
        balance = judge(range(7, 12), [summary(0, 4), summary(5, 9), summary(10, 11)], start=7)

        assert balance == Balance(accepted=7, counted=7)


@st.composite
def histories(draw):
    """Return records, batches as their spans, and the committed offset, of a store whose worker is exact."""
    gaps = draw(st.lists(st.integers(1, 3), min_size=1, max_size=40))
    records = [sum(gaps[: place + 1]) for place in range(len(gaps))]
    sizes = draw(st.lists(st.integers(1, 8), min_size=1, max_size=40))
    batches, done = [], 0
    for size in [*sizes, len(records)]:
        if batch := records[done : done + size]:
            batches.append(batch)
        done += size
    consumed = draw(st.integers(0, len(batches)))
    rest = [offset for batch in batches[consumed:] for offset in batch]
    committed = rest[0] if rest else records[-1] + draw(st.integers(1, 3))
    return records, batches, committed


@settings(max_examples=300, deadline=None)
@given(history=histories(), data=st.data())
def test_what_is_exact_balances_and_what_is_not_is_found(history, data):
    """Any batches; then one record's fate removed, or one batch told again; with records removed by compaction."""
    records, batches, committed = history
    told = [summary(batch[0], batch[-1], counted=len(batch)) for batch in batches]
    exact = judge(records, told, committed=committed)
    consumed = sum(offset < committed for offset in records)
    assert exact == Balance(accepted=len(records), counted=consumed, in_flight=len(records) - consumed)

    kept = data.draw(st.sets(st.sampled_from(records)))
    assert judge(kept, told, committed=committed, compacted=True).balanced

    place = data.draw(st.integers(0, len(told) - 1))
    batch = batches[place]
    if batch[0] < committed:
        without = [*told[:place], *told[place + 1 :]]
        assert judge(records, without, committed=committed).lost == len(batch)
        assert judge(records, [*told, told[place]], committed=committed).doubled == len(batch)


def test_a_reader_met_later_has_the_same_records_to_account_for():
    """Agents of one topic write their fates in one turn, one after another."""
    first = Account(0, 5, compacted=False)
    for offset in range(5):
        first.of("acme").record(offset)
    first.of("acme").summary(summary(0, 4))
    second = first.beside()
    second.of("acme").summary(summary(0, 4, counted=4))

    assert (first.close()["acme"].lost, second.close()["acme"].lost) == (0, 1)


@pytest.mark.parametrize(
    ("key", "store"),
    [(b"acme/s1", "acme"), (b"acme", "acme"), (b"/x", "unknown"), (None, "unknown"), (b"A B/1", "unknown"),
     (b"\xff/1", "unknown")],
)  # fmt: skip
def test_records_are_named_as_summaries_name_them(key, store):
    """What names no store is `unknown` in both."""
    assert store_in(key) == store


def test_the_report_as_plain_data():
    """Totals by store, topics below; agents between topics apart."""
    report = AuditReport(letters={"acme": 1})
    report.add("acme", "pixel.events", None, Balance(accepted=3, counted=2, dead=1))
    report.add("acme", "vtex.changes", None, Balance(accepted=2, counted=1, in_flight=1))
    report.add("acme", "tracking.events", "kpis", Balance(accepted=2, counted=2))

    plain = report.as_json()
    assert (plain["balanced"], plain["letters"], plain["spool_bytes"]) == (True, {"acme": 1}, None)
    assert plain["stores"]["acme"]["accepted"] == 5
    assert plain["stores"]["acme"]["topics"]["vtex.changes"]["in_flight"] == 1
    assert plain["agents"]["kpis"]["tracking.events"]["counted"] == 2

    report.add("acme", "tracking.events", "kpis", Balance(accepted=1, lost=1))
    assert report.as_json()["balanced"] is False
