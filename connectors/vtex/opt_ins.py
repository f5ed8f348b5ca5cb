"""Opt-ins that a store keeps in a data entity of its own, beside CL (contracts/vtex NOTES 2.5): joined by e-mail."""

from collections.abc import Iterable
from typing import Any, Final

from connectors.vtex.budget import Urgency
from connectors.vtex.conditions import one_of, plain_emails
from connectors.vtex.customer import ID_FIELDS, customer_id, identified, read_opt_in
from connectors.vtex.instants import version_of
from connectors.vtex.masterdata import MasterData, Row
from connectors.vtex.patience import Extra
from connectors.vtex.texts import email_of
from schemas.stores import VtexAccess

EMAILS: Final = 25
"""E-mails in one condition: its address stays under some 3 kB."""
PAGE: Final = 100


class OptIns:
    """Reads the opt-ins of one store.

    Args:
        master: of its account.
        access: names entity and fields; without an entity nothing is read.
    """

    def __init__(self, master: MasterData, access: VtexAccess) -> None:
        self._master = master
        self._access = access
        self._extra = Extra("customers are read without opt-ins", account=access.account)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the entity that are read."""
        return (*ID_FIELDS, self._access.opt_in_email, self._access.opt_in_field)

    async def of(self, emails: Iterable[Any], urgency: Urgency) -> dict[str, bool]:
        """Return what each e-mail's document, the one that changed last, says; of those that have one."""
        entity = self._access.opt_in_entity
        if entity is None:
            return {}
        rows = await self._extra.ask(lambda: self._of(entity, self.fields, self._access.opt_in_email, emails, urgency))
        found = {}
        for row in sorted(rows or (), key=version_of):
            email, opt_in = email_of(row.get(self._access.opt_in_email)), read_opt_in(row, self._access)
            if email is not None and opt_in is not None:
                found[email] = opt_in
        return found

    async def customers(self, rows: Iterable[Row], urgency: Urgency) -> list[str]:
        """Return the customers whom documents of the entity are about; VTEX has shown these, so it can be asked."""
        self._extra.answers()
        emails = (row.get(self._access.opt_in_email) for row in rows)
        customers = await self._of("CL", ("id",), "email", emails, urgency)
        return list(dict.fromkeys(customer_id(customer) for customer in identified(customers)))

    async def _of(
        self, entity: str, fields: tuple[str, ...], field: str, emails: Iterable[Any], urgency: Urgency
    ) -> list[Row]:
        """Return the documents in whose field one of the e-mails stands."""
        wanted = plain_emails(emails)
        rows: list[Row] = []
        for at in range(0, len(wanted), EMAILS):
            where = one_of(field, wanted[at : at + EMAILS])
            rows += await self._master.all_rows(entity, fields, where, size=PAGE, urgency=urgency)
        return rows
