"""The endpoints that vendors call: Infobip's reports, VTEX's triggers and hooks."""

from typing import Final

from connectors.pixel.admission import Admitted, holds_secret
from connectors.pixel.answers import RECEIVED, Answer, refusal
from connectors.pixel.intake import Intake
from connectors.pixel.reports import entries, read_reports
from connectors.pixel.request import Refused, Request
from connectors.pixel.triggers import RESOURCES, TriggerError, is_ping, read_hints

_MOST_REPORTS: Final = 10_000  # a report has 400 bytes and more


class Hooks:
    """Handlers of the vendors' paths."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def reports(self, request: Request, store: str) -> Answer:
        """`POST /v1/reports/infobip/{store}`: delivery, seen and click reports (contracts/infobip CONTRACT 7).

        Unreadable entries become dead letters and the rest is kept: the vendor would only send all of them again.
        """
        admitted, raw = self._authenticated(request, store)
        document = await self._intake.document(raw, admitted)
        sender = self._intake.sender(request, admitted)
        if len(entries(document)) > _MOST_REPORTS:
            return refusal(413, "too_large", f"The body has more than {_MOST_REPORTS} reports: send less at once.")
        records, refused = read_reports(document, sender, request.query.get("channel"))
        letters = [self._intake.letter(admitted, "unreadable report", one.reason, one.raw) for one in refused]
        await self._intake.store(admitted, letters)
        await self._intake.store(admitted, records)
        self._intake.count("report", len(records))
        return RECEIVED

    async def trigger(self, request: Request, store: str, resource: str) -> Answer:
        """`POST /v1/triggers/{store}/{customers|orders}`: Master Data triggers and the OMS hook."""
        if resource not in RESOURCES:
            return refusal(404, "not_found", "Triggers are about customers or orders.")
        admitted, raw = self._authenticated(request, store)
        document = await self._intake.document(raw, admitted)
        if is_ping(document):
            return RECEIVED
        deleted = request.query.get("deleted", "").lower() in {"1", "true", "yes"}
        sender = self._intake.sender(request, admitted)
        try:
            hints = read_hints(document, RESOURCES[resource], sender, deleted=deleted)
        except TriggerError as error:
            await self._intake.bury(admitted, "unreadable trigger", str(error), raw)
            return refusal(422, "invalid", f"{error}.")
        await self._intake.store(admitted, hints)
        self._intake.count("hint", len(hints))
        return RECEIVED

    def _authenticated(self, request: Request, store: str) -> tuple[Admitted, bytes]:
        admitted = self._intake.open().by_name(store)
        raw = request.body()
        # The same answer for an unknown store and a wrong secret: the address tells nobody which stores exist.
        if admitted is None or not holds_secret(admitted.hook_secret, request.headers, request.query, raw):
            raise Refused(refusal(401, "not_allowed", "Unknown store or wrong secret: use the store's hook secret."))
        return admitted, raw
