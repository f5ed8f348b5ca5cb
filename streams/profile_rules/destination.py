"""A customer at one destination: when to call, and what an outcome means. Pure.

    pending ──call──▶ (under way) ──done──▶ synced
       ▲                  ├──uncertain──▶ uncertain ──look, call again──▶ ...
       └──── 404 ─────────┤
                          └──refused──▶ failed

One call at a time for each (customer, destination): what changes meanwhile is sent when the outcome is known, as the
then newest state. So the last call always carries the newest revision.

After an uncertain answer (contracts/hellotext NOTES 3: no idempotency key):
- A create is repeated **with the very same fields** until its profile's id is known, even when the customer has changed
  since: Hellotext matches by e-mail and phone, so the same fields find what the first call may have created, where
  others could create a second profile. What is newer follows as an update. So it is for a customer who has been deleted
  meanwhile: the call may have written into the profile of another, who has to be given back their content.
- An update of equal content is looked up first (GET); an update of newer content overwrites whatever stands.
"""

from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from schemas.fates import EffectOutcome
from schemas.profiles import SyncState

_NOT_FOUND: Final = 404
_FIRST_PAUSE_MS: Final = 2_000
_LONGEST_PAUSE_MS: Final = 900_000
BLOCKING: Final = frozenset((401, 403, _NOT_FOUND))
"""Refusals that are about the store's connection, not about the customer (404: of anything but a known id); so are
redirects, whose address is another's."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The call under way: what it would make true."""

    revision: int
    fingerprint: str
    forget: bool = False
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Sync:
    """Where a customer stands at one destination.

    Attributes:
        id: the destination's own.
        state: for people.
        revision: Customer.version that was sent last.
        fingerprint: of what stands at the destination; empty when unknown.
        error: what is the matter, and what to do.
        at: Unix ms of the last change of state.
        serial: of the last call: makes the ids of effects unique.
        sending: the call under way.
        tries: uncertain answers in a row.
        refused: fingerprint that was refused: not sent again unchanged.
        first: the fields of a create whose answer was uncertain.
        first_fingerprint: of these.
    """

    id: str | None = None
    state: SyncState = "pending"
    revision: int = 0
    fingerprint: str = ""
    error: str | None = None
    at: int = 0
    serial: int = 0
    sending: UnderWay | None = None
    tries: int = 0
    refused: str | None = None
    first: dict[str, Any] | None = None
    first_fingerprint: str = ""

    def released(self) -> "Sync":
        """Return it so that what was refused is tried again."""
        return replace(self, refused=None)

    def inheriting(self, other: "Sync") -> "Sync":
        """Return it with another customer's profile, whose content is yet to be written."""
        return replace(self, id=other.id, fingerprint="")

    def row(self) -> dict[str, Any]:
        """Return it as a table keeps it."""
        return asdict(self)

    @classmethod
    def of(cls, row: dict[str, Any] | None) -> "Sync":
        """Return what a table has kept."""
        if row is None:
            return cls()
        known = {name: value for name, value in row.items() if name in cls.__dataclass_fields__}
        sending = known.get("sending")
        return cls(**{**known, "sending": UnderWay(**sending) if sending else None})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be true at the destination.

    Attributes:
        revision: Customer.version.
        fingerprint: of `fields`.
        fields: what to send.
        reachable: whether a profile may be created.
        deleted: the customer is gone from VTEX: nothing more is sent.
        erase: and the destination shall forget it too.
    """

    revision: int
    fingerprint: str
    fields: dict[str, Any]
    reachable: bool = True
    deleted: bool = False
    erase: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call to be made: create (no id), update, or forget."""

    serial: int
    id: str | None
    fields: dict[str, Any]
    look: bool = False
    forget: bool = False
    not_before: int = 0


def decide(sync: Sync, wanted: Wanted, now: int) -> tuple[Sync, Call | None]:
    """Return where the customer stands now, and the call to make, if any."""
    if sync.sending is not None:
        return sync, None
    if sync.first is not None and sync.id is None and not (wanted.deleted and sync.tries == 0):
        return _send(sync, wanted.revision, sync.first_fingerprint, sync.first, now)
    if wanted.deleted:
        return _end(sync, wanted, now)
    settled = _settled(sync, wanted, now)
    if settled is not None:
        return settled, None
    return _send(sync, wanted.revision, wanted.fingerprint, wanted.fields, now)


def heard(sync: Sync, outcome: EffectOutcome, now: int) -> Sync:
    """Return where the customer stands after an outcome of the call under way."""
    made = sync.sending
    if made is None:
        return sync
    sync = replace(sync, sending=None)
    if outcome.status == "done":
        return _done(sync, made, outcome, now)
    if outcome.status == "uncertain":
        return replace(_stand(sync, "uncertain", outcome.reason, now), tries=sync.tries + 1)
    if outcome.status == "retry" or blocks(outcome, made):
        return _stand(sync, "failed", advice(outcome), now)
    if outcome.code == _NOT_FOUND and made.id is not None and not made.forget:
        # Somebody deleted the profile at the destination: it is created again.
        return replace(_stand(sync, "pending", None, now), id=None, fingerprint="", tries=0, first=None)
    failed = replace(_stand(sync, "failed", outcome.reason, now), tries=0, refused=made.fingerprint)
    return replace(failed, first=None) if made.id is None else failed


def blocks(outcome: EffectOutcome, made: UnderWay) -> bool:
    """Say whether an outcome tells of the connection rather than of the customer: others would end alike."""
    if outcome.status == "retry":
        return True
    if not closes(outcome):
        return False
    return outcome.code != _NOT_FOUND or (made.id is None and not made.forget)


def closes(outcome: EffectOutcome) -> bool:
    """Say whether a refusal is about the store's connection: key, permissions, or an address that is not the API's."""
    return outcome.status == "rejected" and (outcome.code in BLOCKING or _redirects(outcome))


def _redirects(outcome: EffectOutcome) -> bool:
    return outcome.code is not None and HTTPStatus.MULTIPLE_CHOICES <= outcome.code < HTTPStatus.BAD_REQUEST


def advice(outcome: EffectOutcome) -> str:
    """Return what happened and what to do, for people; no personal value."""
    todo = {
        401: "the token is not accepted: connect the store again with a new one",
        403: "the token may not do this: check its permissions and the plan",
        _NOT_FOUND: "the address answers 404: check the URL in the store's connection",
    }.get(outcome.code or 0, "tried again later by itself")
    if _redirects(outcome):
        todo = "the address sends calls elsewhere: correct the URL in the store's connection"
    return f"{outcome.reason or 'not applied'}; {todo}"


def _done(sync: Sync, made: UnderWay, outcome: EffectOutcome, now: int) -> Sync:
    if made.forget:
        return replace(_stand(sync, "deleted", None, now), id=None, fingerprint="", tries=0, first=None)
    told = outcome.result.get("id")
    sync = replace(
        _stand(sync, "synced", None, now), id=str(told) if told else made.id, revision=made.revision,
        fingerprint=made.fingerprint, tries=0, refused=None, first=None, first_fingerprint="",
    )  # fmt: skip
    return sync if sync.id is not None else _stand(sync, "uncertain", "the answer told no id", now)


def _settled(sync: Sync, wanted: Wanted, now: int) -> Sync | None:
    """Return where the customer stands when there is nothing to send."""
    if sync.id is None and not wanted.reachable:
        return _stand(sync, "unreachable", "needs an e-mail or a phone", now)
    if sync.id is not None and sync.fingerprint == wanted.fingerprint:
        return replace(_stand(sync, "synced", None, now), revision=wanted.revision, refused=None)
    return sync if sync.refused == wanted.fingerprint else None


def _end(sync: Sync, wanted: Wanted, now: int) -> tuple[Sync, Call | None]:
    if sync.id is None or not wanted.erase or sync.refused == wanted.fingerprint:
        return _stand(sync, "deleted", sync.error if wanted.erase else None, now), None
    serial = sync.serial + 1
    made = UnderWay(wanted.revision, wanted.fingerprint, forget=True, id=sync.id)
    call = Call(serial, sync.id, {}, forget=True, not_before=_due(sync, now))
    return replace(sync, serial=serial, sending=made), call


def _send(
    sync: Sync, revision: int, fingerprint: str, fields: dict[str, Any], now: int
) -> tuple[Sync, Call]:  # fmt: skip
    serial = sync.serial + 1
    call = Call(serial, sync.id, fields, look=sync.state == "uncertain", not_before=_due(sync, now))
    if sync.state != "uncertain":
        sync = _stand(sync, "pending", None, now)
    if sync.id is None:
        # Kept until the id is known, whatever the answer: see the module.
        sync = replace(sync, first=fields, first_fingerprint=fingerprint)
    # What stands at the destination is unknown until the answer is: whatever it will be, nothing may be taken for sent.
    return replace(sync, serial=serial, fingerprint="", sending=UnderWay(revision, fingerprint, id=sync.id)), call


def wait(sync: Sync, reason: str | None, now: int) -> Sync:
    """Return where the customer stands when there is something to send and no call may be made now."""
    if sync.state == "uncertain" or (sync.state == "failed" and sync.refused is None):
        return sync
    return _stand(sync, "pending", reason, now)


def yield_to(sync: Sync, now: int) -> Sync:
    """Return where the customer stands when another customer's content stands in the profile that both share."""
    return _stand(sync, "synced", "shares the profile with a customer who changed later", now)


def _due(sync: Sync, now: int) -> int:
    """A repeat waits: the destination may still be busy with the first, and cannot match what it has not stored."""
    if sync.tries == 0:
        return 0
    return now + min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS << min(sync.tries - 1, 16))


def _stand(sync: Sync, state: SyncState, error: str | None, now: int) -> Sync:
    if (sync.state, sync.error) == (state, error) and sync.at:
        return sync
    return replace(sync, state=state, error=error, at=now)
