"""Opt-ins that a store keeps in a data entity of its own, beside CL (contracts/vtex NOTES 2.5): joined by e-mail."""

import re
import time
from collections.abc import Iterable
from typing import Any, Final

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.customer import ID_FIELDS, identified, read_opt_in
from connectors.vtex.errors import KeyRefused, Retryable, VtexError
from connectors.vtex.instants import one_of, version_of
from connectors.vtex.masterdata import MasterData, Row
from connectors.vtex.texts import email_of
from schemas.stores import VtexAccess

log = structlog.get_logger(__name__)

EMAILS: Final = 25
"""E-mails in one condition: its address stays under some 3 kB."""
PAGE: Final = 100
AGAIN_S: Final = 3600.0
_PLAIN: Final = re.compile(r"[^\s()\"'=<>*,]+@[^\s()\"'=<>*,]+")
"""What may stand in a condition without changing what it means."""


class OptIns:
    """Reads the opt-ins of one store.

    Args:
        master: of its account.
        access: names entity and fields; without an entity nothing is read.
    """

    def __init__(self, master: MasterData, access: VtexAccess) -> None:
        self._master = master
        self._access = access
        self._from = float("-inf")

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the entity that are read."""
        return (*ID_FIELDS, self._access.opt_in_email, self._access.opt_in_field)

    def answer(self) -> None:
        """Note that they can be had: who is read now is read with them."""
        self._from = float("-inf")

    async def of(self, emails: Iterable[Any], urgency: Urgency) -> dict[str, bool]:
        """Return what each e-mail's document, the one that changed last, says; of those that have one."""
        entity = self._access.opt_in_entity
        if entity is None or time.monotonic() < self._from:
            return {}
        try:
            rows = await self._of(entity, self.fields, self._access.opt_in_email, emails, urgency)
        except (KeyRefused, Retryable):
            raise
        except VtexError as error:  # never a reason to read no customers
            self._from = time.monotonic() + AGAIN_S
            log.warning("customers are read without opt-ins", account=self._access.account, reason=str(error))
            return {}
        found = {}
        for row in sorted(rows, key=version_of):
            email, opt_in = email_of(row.get(self._access.opt_in_email)), read_opt_in(row, self._access)
            if email is not None and opt_in is not None:
                found[email] = opt_in
        return found

    async def customers(self, rows: Iterable[Row], urgency: Urgency) -> list[str]:
        """Return the ids of the customers whom documents of the entity are about."""
        emails = (row.get(self._access.opt_in_email) for row in rows)
        customers = await self._of("CL", ("id",), "email", emails, urgency)
        return list(dict.fromkeys(str(customer["id"]).lower() for customer in identified(customers)))

    async def _of(
        self, entity: str, fields: tuple[str, ...], field: str, emails: Iterable[Any], urgency: Urgency
    ) -> list[Row]:
        """Return the documents in whose field one of the e-mails stands."""
        wanted = list(dict.fromkeys(filter(None, map(plain_email, emails))))
        rows: list[Row] = []
        for at in range(0, len(wanted), EMAILS):
            rows += await self._rows(entity, fields, one_of(field, wanted[at : at + EMAILS]), urgency)
        return rows

    async def _rows(self, entity: str, fields: tuple[str, ...], where: str, urgency: Urgency) -> list[Row]:
        rows: list[Row] = []
        while True:
            page = await self._master.search(
                entity, fields, where, start=len(rows), count=PAGE, urgency=urgency, sort="createdIn ASC"
            )
            rows += page.rows
            if len(page.rows) < PAGE:
                return rows


def plain_email(value: Any) -> str | None:
    """Return an e-mail that may stand in a condition."""
    email = email_of(value)
    return email if email is not None and _PLAIN.fullmatch(email) else None
