"""The way in: admit the sender, make the records durable, and only then say so."""

import math
import time
from base64 import b64encode
from typing import Any, Final

from connectors.pixel.admission import Admission, Admitted, bearer
from connectors.pixel.answers import busy, refusal
from connectors.pixel.metrics import Metrics
from connectors.pixel.producer import Outlet
from connectors.pixel.records import Record, Sealed, Sender
from connectors.pixel.request import MalformedError, Refused, Request, decode
from connectors.pixel.settings import CollectorSettings
from connectors.pixel.spool import SpoolFullError
from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, new_id

_KEPT_OF_A_LETTER: Final = 256 * 1024
_UNKNOWN: Final = (
    "The business id is not connected: send Authorization: Bearer <public business id> of a store that is."
)


class Intake:
    """What all endpoints share."""

    def __init__(self, outlet: Outlet, metrics: Metrics, settings: CollectorSettings) -> None:
        self._outlet = outlet
        self._trusted_proxies = settings.trusted_proxies
        self._metrics = metrics
        self.admission: Admission | None = None

    def open(self) -> Admission:
        """Return the stores' admission.

        Raises:
            Refused: 503 while the stores have not been read, since nobody is known to be unknown before.
        """
        if self.admission is None:
            raise Refused(busy("The collector is starting: the connected stores are not known yet."))
        return self.admission

    def admit(self, request: Request, business: Any = None) -> tuple[Admitted, bool]:
        """Return the store of a page's or a back end's request, and whether it is a back end's.

        Args:
            request: with its `Authorization` header, or `?business=` where a page cannot set one.
            business: the body's own `business`, of a beacon without either.

        Raises:
            Refused: 401 for an unknown business, 403 for an origin that the store does not allow.
        """
        admission = self.open()
        token = bearer(request.headers.get(b"authorization", b"")) or request.query.get("business", "")
        token = token or (business if isinstance(business, str) else "")
        admitted = admission.by_business(token) if token else None
        if admitted is None:
            admitted = admission.by_token(token) if len(token) >= 16 else None  # noqa: PLR2004  ids are short, tokens are not
            if admitted is None:
                raise Refused(refusal(401, "not_found", _UNKNOWN, "authorization"))
            return admitted, True
        origin = request.headers.get(b"origin")
        if admitted.origins and origin is not None and origin.lower() not in admitted.origins:
            raise Refused(
                refusal(
                    403, "not_allowed", "This origin may not send events for the store: add it with connect --origin."
                )
            )
        return admitted, False

    def charge(self, admitted: Admitted, count: int = 1) -> None:
        """Take from the store's rate.

        Raises:
            Refused: 429 with `Retry-After`.
        """
        wait = admitted.bucket.take(count)
        if wait:
            after = (b"retry-after", str(math.ceil(wait)).encode())
            raise Refused(refusal(429, "rate_limited", "The store sends more than its rate: slow down.", None, after))

    async def document(self, raw: bytes, admitted: Admitted) -> Any:
        """Return a body's JSON; what is none becomes a dead letter.

        Raises:
            Refused: 400 when the body is no JSON.
        """
        try:
            return decode(raw)
        except MalformedError as error:
            raise await self.malformed(admitted, error, raw) from error

    async def malformed(self, admitted: Admitted, error: MalformedError, raw: bytes) -> Refused:
        """Bury a body that is no JSON, and return what its sender is told: 400."""
        await self.bury(admitted, "malformed", str(error), raw)
        return Refused(refusal(400, "invalid", f"{error}: send one JSON document."))

    def sender(self, request: Request, admitted: Admitted, *, server: bool = False) -> Sender:
        """Return the facts of a request that go into its events."""
        return Sender(
            admitted.name,
            admitted.secret,
            admitted.country,
            admitted.privacy,
            time.time_ns() // 1_000_000,
            request.network(self._trusted_proxies),
            request.user_agent,
            request.headers.get(b"sec-gpc") == b"1",
            server,
        )

    async def keep(self, admitted: Admitted, sealed: list[Sealed]) -> None:
        """Return once everything is durable: identifications first, then the events (records.seal)."""
        identities = [one.identity for one in sealed if one.identity is not None]
        if identities:
            await self.store(admitted, identities)
        await self.store(admitted, [one.event for one in sealed])

    async def store(self, admitted: Admitted, records: list[Record]) -> None:
        """Return once records, all of one topic, are durable.

        Raises:
            Refused: 503 when neither Kafka nor the spool takes them.
        """
        if not records:
            return
        try:
            await self._outlet.put(records, admitted.partition)
        except SpoolFullError:
            raise Refused(
                busy("Kafka is away and the spool is full: nothing was kept, send it again later.", 10)
            ) from None

    async def bury(self, admitted: Admitted, reason: str, detail: str, raw: bytes) -> None:
        """Keep what could not be read in `dead.letters`."""
        await self.store(admitted, [self.letter(admitted, reason, detail, raw)])

    def letter(self, admitted: Admitted, reason: str, detail: str, raw: bytes) -> Record:
        """Return the record of what could not be read, with its bytes, cut."""
        letter = new_id()
        row = {
            "store": admitted.name,
            "letter": letter,
            "step": "collector",
            "reason": reason,
            "detail": detail,
            "value": b64encode(raw[:_KEPT_OF_A_LETTER]).decode(),
            "at": to_text(time.time_ns() // 1_000_000),
        }
        topic = topics.DEAD_LETTERS
        return Record(topic.name, topic.key(admitted.name, letter), encode(row), event=False)

    def count(self, kind: str, number: int = 1) -> None:
        """Count accepted events."""
        self._metrics.accepted(kind, number)
