"""A customer at one destination, call by call and answer by answer (streams/profile_rules/destination.py)."""

from dataclasses import replace

import pytest

from schemas.fates import EffectOutcome
from streams.profile_rules.destination import Sync, UnderWay, Wanted, advice, decide, heard, wait

NOW = 1_800_000_000_000
FIELDS = {"first_name": "Ana"}
WANTED = Wanted(3, "mark", FIELDS)
KNOWN = Sync("P1", "synced", 2, "older", at=1)


def outcome(status, code=None, reason=None, **result):
    """Return what a call ended with."""
    return EffectOutcome(
        effect="e", agent="profiles", kind="k", store="acme", destination="hellotext", key="k",
        status=status, code=code, reason=reason, result=result, at="2027-01-15T08:00:00.000Z",
    )  # fmt: skip


def after(status, code=None, *, of=KNOWN, wanted=WANTED, **result):
    """Return where a customer stands whose call ended so."""
    return heard(decide(of, wanted, NOW)[0], outcome(status, code, "why", **result), NOW)


class TestCalls:
    def test_a_new_one_is_created_and_a_known_one_updated(self):
        """With what is wanted now, under a number of its own, and at once."""
        for sync in (Sync(), KNOWN):
            started, call = decide(sync, WANTED, NOW)

            assert (call.serial, call.id, call.fields, call.look, call.forget) == (1, sync.id, FIELDS, False, False)
            assert call.not_before == 0
            assert started.sending == UnderWay(3, "mark", id=sync.id)
            assert decide(started, replace(WANTED, revision=4, fingerprint="x"), NOW) == (started, None)

    def test_what_stands_there_already_is_not_sent(self):
        """The revision is noted; what was refused before is no refusal any more."""
        sync, call = decide(replace(KNOWN, fingerprint="mark", refused="x", state="failed"), WANTED, NOW)

        assert (call, sync.state, sync.revision, sync.refused) == (None, "synced", 3, None)

    def test_what_was_refused_is_sent_again_only_changed_or_released(self):
        """Else the same dead letter would be written with every row."""
        refused = replace(KNOWN, refused="mark")

        assert decide(refused, WANTED, NOW) == (refused, None)
        assert decide(refused, replace(WANTED, fingerprint="other"), NOW)[1] is not None
        assert decide(refused.released(), WANTED, NOW)[1] is not None

    def test_who_cannot_be_reached_is_not_created(self):
        """Who has a profile keeps it."""
        alone = replace(WANTED, reachable=False)

        assert decide(Sync(), alone, NOW) == (
            Sync(state="unreachable", error="needs an e-mail or a phone", at=NOW),
            None,
        )
        assert decide(KNOWN, alone, NOW)[1].id == "P1"


class TestAnswers:
    def test_done(self):
        """It stands there now, under the id that the answer told."""
        sync = after("done", of=Sync(), id=77)

        assert sync == Sync("77", "synced", 3, "mark", at=NOW, serial=1)
        assert after("done") == Sync("P1", "synced", 3, "mark", at=NOW, serial=1)

    def test_done_without_an_id_is_uncertain(self):
        """There is a profile, and nobody knows which."""
        assert after("done", of=Sync()).state == "uncertain"

    def test_an_uncertain_create_is_repeated_with_the_same_fields(self):
        """Later each time, until its id is known; what is newer follows."""
        sync, newer = after("uncertain", of=Sync()), Wanted(4, "newer", {"first_name": "Bia"})
        waits = []
        for tries in range(1, 13):
            assert (sync.state, sync.tries) == ("uncertain", tries)
            started, call = decide(sync, newer, NOW)
            assert (call.fields, call.look) == (FIELDS, True)
            waits.append(call.not_before - NOW)
            sync = heard(started, outcome("uncertain"), NOW)
        sync = heard(decide(sync, newer, NOW)[0], outcome("done", id="P1"), NOW)

        assert waits == [2_000 * 2**n for n in range(9)] + [900_000] * 3
        assert (sync.id, sync.revision, sync.tries, sync.first, sync.first_fingerprint) == ("P1", 4, 0, None, "")
        assert decide(sync, newer, NOW)[1].fields == newer.fields

    def test_a_profile_that_is_gone_is_created_again(self):
        """Somebody deleted it at the destination."""
        sync = after("rejected", 404)

        assert (sync.id, sync.state, sync.fingerprint) == (None, "pending", "")
        assert decide(sync, WANTED, NOW)[1].id is None

    @pytest.mark.parametrize(
        ("status", "code"), [("retry", None), ("rejected", 401), ("rejected", 403), ("rejected", 302)]
    )
    def test_what_is_about_the_connection_is_tried_again(self, status, code):
        """Nothing is refused of the customer, and nothing is taken for sent."""
        sync = after(status, code)

        assert (sync.state, sync.refused, sync.fingerprint, sync.id) == ("failed", None, "", "P1")
        assert decide(sync, WANTED, NOW)[1].fields == FIELDS

    def test_what_is_about_the_customer_is_refused(self):
        """A create that was refused has made nothing, so its fields need not be repeated."""
        known, new = after("rejected", 422), after("rejected", 422, of=Sync())

        assert (known.state, known.refused, known.error) == ("failed", "mark", "why")
        assert (new.state, new.refused, new.first) == ("failed", "mark", None)

    def test_an_answer_that_nobody_waits_for_changes_nothing(self):
        """It was heard before."""
        assert heard(KNOWN, outcome("done", id="P9"), NOW) is KNOWN


class TestDeleted:
    GONE = Wanted(4, "gone", {}, deleted=True)

    def test_without_erasure_nothing_is_sent(self):
        """Deleted in VTEX, and let be at the destination."""
        assert decide(KNOWN, self.GONE, NOW) == (replace(KNOWN, state="deleted", at=NOW), None)

    def test_an_erasure_is_a_call_and_then_nothing_is_known(self):
        """No id, no content: a second one has nothing to erase."""
        erase = replace(self.GONE, erase=True)
        started, call = decide(KNOWN, erase, NOW)
        ended = heard(started, outcome("done"), NOW)

        assert (call.id, call.forget, call.fields) == ("P1", True, {})
        assert (call.serial, started.serial) == (KNOWN.serial + 1, KNOWN.serial + 1)
        assert (ended.state, ended.id, ended.fingerprint) == ("deleted", None, "")
        assert decide(ended, erase, NOW) == (ended, None)

    def test_an_erasure_that_is_refused_says_so(self):
        """It is not asked for again, and the customer counts as deleted with its reason."""
        erase = replace(self.GONE, erase=True)
        refused = after("rejected", 422, wanted=erase)

        sync, call = decide(refused, erase, NOW)

        assert (sync.state, sync.error, sync.id, call) == ("deleted", "why", "P1", None)

    def test_a_create_with_an_uncertain_end_comes_first(self):
        """It may have written into somebody's profile; one that was never tried is dropped."""
        assert decide(after("uncertain", of=Sync()), self.GONE, NOW)[1].fields == FIELDS
        assert decide(after("retry", of=Sync()), self.GONE, NOW)[1] is None


@pytest.mark.parametrize(
    ("code", "words"),
    [(401, "token is not accepted"), (403, "permissions"), (404, "check the URL"), (302, "correct the URL"),
     (None, "by itself"), (500, "by itself")],
)  # fmt: skip
def test_people_are_told_what_to_do(code, words):
    """For each way in which a destination refuses all of them."""
    assert words in advice(outcome("rejected", code))


def test_waiting_hides_no_trouble():
    """What is uncertain or failed stays so; who was refused waits with the others, for it is sent changed."""
    assert wait(KNOWN, "paused", NOW) == replace(KNOWN, state="pending", error="paused", at=NOW)
    assert wait(replace(KNOWN, state="uncertain"), "paused", NOW).state == "uncertain"
    assert wait(replace(KNOWN, state="failed"), "paused", NOW).state == "failed"
    assert wait(replace(KNOWN, state="failed", refused="x"), "paused", NOW).state == "pending"
    assert wait(replace(KNOWN, state="pending", error="paused"), "paused", NOW).at == KNOWN.at
