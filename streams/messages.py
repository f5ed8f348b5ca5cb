"""Requested messages are sent, each at most once, for ever; what becomes of them is reported.

    message.requests ─▶ messages ─▶ message.reports (accepted, delivered, failed)
                           ┆
                           ┆ outbox ▶ Hellotext or Infobip; outcomes come back

In: requests; outcomes of calls. Kept: two years of message ids, so that none is sent twice whatever comes twice. Out:
reports, their ids made of what they say, so that a repeated one is a duplicate to its readers.

What was sent cannot be unsent. After an uncertain answer a message is sent again only when its absence is proved, which
only Infobip's SMS log can do (contracts/infobip NOTES 6). Else it stays uncertain: a dead letter says so.
Infobip tells the rest by webhook; Hellotext has none, so its messages' states are asked for (contracts/hellotext B5).
"""

import hashlib
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import orjson

from schemas.clock import to_text
from schemas.events import CONTENT_TYPE, encode, event
from schemas.fates import EffectOutcome
from schemas.messages import MessageRequest, ReportStatus
from schemas.personal import normal_phone
from schemas.topics import MESSAGE_REPORTS, MESSAGE_REQUESTS
from streams.engine.agent import Agent, Batch, Effect, Shard, Table
from streams.letters import bury
from streams.message_forms import hellotext_message, infobip_message, problem_with, vendor_of
from streams.models import read_model
from streams.profile_rules.destination import advice, closes
from streams.stores import KnownStore, Stores
from streams.suppressions import FORGOTTEN, SUPPRESSED, Suppressed

SENT: Final = Table("messages.sent", ttl=timedelta(days=730), disk=True)
"""`store/message` -> `Row`."""
UNSURE: Final = Table("messages.unsure", ttl=timedelta(days=2), disk=True)
"""`store/message` -> the payload of an SMS to Infobip whose arrival is not certain, for sending it again."""
SEND: Final = {"hellotext": "hellotext.message", "infobip": "infobip.message"}
"""The kind of call that sends, by vendor."""
ONCE: Final = (
    "it may have arrived, and a message id is sent once for ever: ask the vendor; to send it all the same, request it "
    "under another message id; `dead-letters remove` puts the letter away"
)
UNSENT: Final = (
    "it was not sent: put right what the reason tells, and request it under another message id; "
    "`dead-letters remove` puts the letter away"
)
STATE: Final = "hellotext.state"
LOG: Final = "infobip.log"
LOOKS_MS: Final = (30_000, 120_000)
"""When the log is looked at after an uncertain answer: a message that both do not show was not taken."""
_POLLS_MS: Final = (5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000)
_ASKED: Final = {LOG: (LOOKS_MS, "message"), STATE: (_POLLS_MS, "id")}
"""When a message is asked for, after the time before; and under which name its id goes along."""
MOST_POLLS: Final = 50
"""About two days: what is not delivered by then has no more news."""
_ENDS: Final[dict[str, ReportStatus]] = {"delivered": "delivered", "failed": "failed"}
Row = dict[str, Any]
"""`vendor`, `channel`, `campaign`, `recipient` (hash), `state`, `form`, `vendor_id`; `tries`: how often it was asked
for in this state; `calls`: how many were made, which is in their ids."""


class MessagesAgent(Agent):
    """Sends messages and follows them.

    Args:
        stores: the connected stores.
    """

    name = "messages"
    inputs = (MESSAGE_REQUESTS,)
    tables = (SENT, UNSURE, SUPPRESSED)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Send what was not sent before."""
        suppressed = Suppressed(shard)
        for record in batch:
            if record.value is None:  # forgotten; what was sent stays known by its id
                continue
            known = self._stores.of(record.store)
            request = read_model(MessageRequest, record)
            key = f"{request.store}/{request.message}"
            if suppressed.has(request.store, known.hash("phone", normal_phone(request.to, known.connection.country))):
                batch.filtered(record, request.message, FORGOTTEN)
                shard.send(MESSAGE_REQUESTS, record.key, None)
                continue
            if key in shard.table(SENT):
                batch.duplicate(record, request.message)
                continue
            reason = _Step(shard).send(known, key, request)
            if reason is not None:
                batch.dead(record, reason)

    def outcome(self, outcome: EffectOutcome, shard: Shard) -> None:
        """Report what a call ended with, and follow the message."""
        step = _Step(shard)
        message = outcome.effect.partition("/")[2].rpartition("/")[0]
        key = f"{outcome.store}/{message}"
        row = shard.table(SENT).get(key)
        if row is None:
            return
        if outcome.kind == STATE:
            step.polled(key, message, row, outcome)
        elif outcome.kind == LOG:
            step.looked(key, message, row, outcome)
        else:
            step.sent(key, message, row, outcome)


class _Step:
    """One step of a turn."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._sent = shard.table(SENT)
        self._unsure = shard.table(UNSURE)

    def send(self, known: KnownStore, key: str, request: MessageRequest) -> str | None:
        """Stage the call, or return why the message cannot be sent."""
        connection = known.connection
        vendor = vendor_of(connection, request.channel)
        to = normal_phone(request.to, connection.country)
        if to is None:
            return "the recipient is no phone number"
        problem = problem_with(request, connection, vendor)
        if problem is not None:
            return problem
        if vendor == "infobip" and connection.infobip is not None:
            form, body = infobip_message(request, to, connection.infobip)
            payload: Row = {"form": form, "message": body}
        else:
            form, payload = "text", {"message": hellotext_message(request, to)}
        row: Row = {
            "vendor": vendor, "channel": request.channel, "campaign": request.campaign,
            "recipient": known.hash("phone", to), "state": "sending", "tries": 0, "form": form, "calls": 1,
            "vendor_id": request.message,
        }  # fmt: skip
        self._sent[key] = row
        if form == "sms":
            self._unsure[key] = payload  # for a repeat, should its absence be proved
        self._call(request.store, request.message, row, payload)
        return None

    def sent(self, key: str, message: str, row: Row, outcome: EffectOutcome) -> None:
        """Hear what sending ended with."""
        if outcome.status == "done":
            self._taken(key, message, row, outcome)
        elif outcome.status == "uncertain":
            self._doubt(key, message, row, outcome)
        else:
            self._unsent(key, message, row, outcome)

    def looked(self, key: str, message: str, row: Row, outcome: EffectOutcome) -> None:
        """Hear what the log says of a message that nobody knows of."""
        if outcome.status == "done" and outcome.result.get("found"):
            self._taken(key, message, row, outcome)
            return
        absent = outcome.status == "done"
        payload = self._unsure.get(key)
        if absent and row["tries"] >= len(LOOKS_MS) and payload is not None:
            again = {**row, "tries": 0, "calls": row["calls"] + 1}
            self._sent[key] = again
            self._call(outcome.store, message, again, payload)
        elif absent or row["tries"] < 2 * len(LOOKS_MS):
            self._follow(LOG, key, message, row, outcome.store)
        else:
            self._unknown(key, message, row, outcome)

    def polled(self, key: str, message: str, row: Row, outcome: EffectOutcome) -> None:
        """Hear what Hellotext says of a message; ask again later while it is on its way."""
        state = str(outcome.result.get("state"))
        status = _ENDS.get(state)
        if status is not None:
            self.end(key, row, status)
            error = "Hellotext reports failed" if status == "failed" else None
            self.report(outcome.store, message, row, status, error=error)
        elif row["tries"] < MOST_POLLS and outcome.code != HTTPStatus.NOT_FOUND:  # nobody knows it any more
            self._follow(STATE, key, message, row, outcome.store)

    def _taken(self, key: str, message: str, row: Row, outcome: EffectOutcome) -> None:
        state, store = outcome.result.get("state"), outcome.store
        if state == "failed":
            self.end(key, row, "failed")
            self.report(store, message, row, "failed", error=outcome.result.get("error") or "rejected")
            return
        self._settle(key)
        told = outcome.result.get("id")
        taken = {**row, "state": "accepted", "tries": 0, "vendor_id": told or row["vendor_id"]}
        self._sent[key] = taken
        self.report(store, message, taken, "accepted")
        if row["vendor"] == "hellotext" and told:
            self._follow(STATE, key, message, taken, store)

    def _doubt(self, key: str, message: str, row: Row, outcome: EffectOutcome) -> None:
        if row["form"] == "sms" and row["vendor"] == "infobip":
            self._follow(LOG, key, message, {**row, "state": "uncertain", "tries": 0}, outcome.store)
        else:
            self._unknown(key, message, row, outcome)

    def _follow(self, kind: str, key: str, message: str, row: Row, store: str) -> None:
        """Ask how a message stands, later each time."""
        pauses, name = _ASKED[kind]
        pause = pauses[min(row["tries"], len(pauses) - 1)]
        self._sent[key] = row = {**row, "tries": row["tries"] + 1, "calls": row["calls"] + 1}
        self._shard.effect(Effect(
            id=f"message/{message}/{row['calls']}", agent="messages", kind=kind, store=store,
            destination=f"{row['vendor']}-messages", key=f"follow/{message}", payload={name: row["vendor_id"]},
            not_before=self._shard.now + pause,
        ))  # fmt: skip

    def end(self, key: str, row: Row, state: str) -> None:
        """Note how a message ended."""
        self._sent[key] = {**row, "state": state}
        self._settle(key)

    def _settle(self, key: str) -> None:
        if key in self._unsure:
            del self._unsure[key]

    def _unknown(self, key: str, message: str, row: Row, outcome: EffectOutcome) -> None:
        """Leave a message uncertain for ever: it is not sent again, and people are told."""
        self.end(key, row, "uncertain")
        self._bury(key, message, outcome, f"uncertain, so not sent again: {outcome.reason}", ONCE)

    def _unsent(self, key: str, message: str, row: Row, outcome: EffectOutcome) -> None:
        """Give a message up that a vendor has refused, or has not taken for a quarter of an hour; people are told."""
        reason = advice(outcome) if _refused(outcome) else outcome.reason or "not sent"
        self.end(key, row, "failed")
        self.report(outcome.store, message, row, "failed", error=reason)
        self._bury(key, message, outcome, reason, UNSENT)

    def _bury(self, key: str, message: str, outcome: EffectOutcome, reason: str, obstacle: str) -> None:
        bury(
            self._shard, outcome.store, f"messages/{message}", MESSAGE_REQUESTS, key.encode(), step="messages",
            reason=reason, detail=f"message {message}", obstacle=obstacle,
        )  # fmt: skip

    def _call(self, store: str, message: str, row: Row, payload: dict[str, Any]) -> None:
        """Send: in the order of requests for each recipient, and claimed before it is made."""
        self._shard.effect(Effect(
            id=f"message/{message}/{row['calls']}", agent="messages", kind=SEND[row["vendor"]], store=store,
            destination=f"{row['vendor']}-messages", key=f"message/{row['recipient']}", payload=payload,
            repeatable=False,
        ))  # fmt: skip

    def report(
        self, store: str, message: str, row: Row, status: ReportStatus, *, error: str | None = None
    ) -> None:  # fmt: skip
        """Send a report."""
        now = to_text(self._shard.now)
        data = {
            "store": store, "message": message, "campaign": row["campaign"], "channel": row["channel"],
            "status": status, "at": now, "received_at": now, "recipient": row["recipient"], "error": error,
            "vendor": row["vendor"],
        }  # fmt: skip
        name = hashlib.sha256(orjson.dumps([store, message, status])).hexdigest()[:32]
        envelope = event(
            type="message.report", source="messages", store=store, subject=message, time=self._shard.now,
            received=self._shard.now, id=f"messages-{name}",
            data={name: value for name, value in data.items() if value is not None},
        )  # fmt: skip
        self._shard.send(MESSAGE_REPORTS, MESSAGE_REPORTS.key(store, message), encode(envelope), CONTENT_TYPE)


def _refused(outcome: EffectOutcome) -> bool:
    """Say whether the store's connection is to blame; a 404 may be about the message's template (B6)."""
    return outcome.code == HTTPStatus.UNAUTHORIZED or (outcome.code != HTTPStatus.NOT_FOUND and closes(outcome))


def called_off(shard: Shard, store: str, message: str) -> None:
    """Report a message whose sending was taken back before it began: its recipient was forgotten."""
    key = f"{store}/{message}"
    row = shard.table(SENT).get(key)
    if row is None:
        return
    step, row = _Step(shard), {**row, "recipient": None}
    step.end(key, row, "failed")
    step.report(store, message, row, "failed", error=FORGOTTEN)
