"""Customers from storage, where one that VTEX cannot answer must not keep the others from being read.

A document may answer 500 for ever, though the index shows it. Where another one answers, it is passed over for a while,
and people are told: the cursor moves on, looks ask for it again as long as they go back to it, and the daily scan does.
Where no other answers, it is VTEX that does not, and nothing is passed over.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.errors import KeyRefused, Throttled, VtexError
from connectors.vtex.masterdata import Row
from connectors.vtex.source import Source

log = structlog.get_logger(__name__)

AGAIN_S: Final = 300.0
FEW: Final = 10
"""More than this at once are not documents that are broken."""
STATUS: Final = "customers.documents"
Found = dict[str, Row | None]


class Documents:
    """Reads the documents of one store's customers.

    Args:
        source: the store.
        fields: of CL.
    """

    def __init__(self, source: Source, fields: tuple[str, ...]) -> None:
        self._source = source
        self._fields = fields
        self._unread: dict[str, float] = {}

    async def read(self, ids: Iterable[str], urgency: Urgency, *, spare: bool) -> Found:
        """Return documents by id, None where there is none.

        Args:
            ids: in lower case.
            urgency: of the calls.
            spare: whether one that does not answer may be left out.
        """
        now = time.monotonic()
        wanted = [one for one in ids if not spare or self._unread.get(one, now) <= now]
        try:
            found = await gather(*(self._one(one, urgency) for one in wanted))
        except (KeyRefused, Throttled):
            raise
        except VtexError as error:
            if not spare or self._source.client.gate.budget.probing:
                raise
            return await self._each(wanted, urgency, error)
        self._answered(wanted)
        return dict(zip(wanted, found, strict=True))

    async def _one(self, id: str, urgency: Urgency) -> Row | None:  # noqa: A002  what it is
        return await self._source.master.document("CL", id, self._fields, urgency)

    async def _each(self, wanted: list[str], urgency: Urgency, error: VtexError) -> Found:
        found: Found = {}
        failed: dict[str, VtexError] = {}

        async def alone(one: str) -> None:
            try:
                found[one] = await self._one(one, urgency)
            except (KeyRefused, Throttled):
                raise
            except VtexError as refusal:
                failed[one] = refusal

        for part in (wanted[:FEW], wanted[FEW:]):
            await gather(*map(alone, part))
            if len(failed) > FEW or not (found or await self._another_answers(wanted, urgency)):
                raise error
        self._answered(found)
        for one, refusal in failed.items():
            self._unread[one] = time.monotonic() + AGAIN_S
            log.warning("a customer is passed over", store=self._source.name, customer=one, reason=str(refusal))
        self._tell()
        return found

    async def _another_answers(self, wanted: list[str], urgency: Urgency) -> bool:
        """Whether a document that is none of these can be read now."""
        known = [self._source.position("customers").get("canary"), *self._source.customers.since("")]
        other = next((one for one in known if one is not None and one not in wanted), None)
        if other is None:
            return False
        try:
            return await self._one(other, urgency) is not None
        except VtexError:
            return False

    def _answered(self, ids: Iterable[str]) -> None:
        back = [one for one in ids if self._unread.pop(one, None) is not None]
        if back:
            self._tell()

    def _tell(self) -> None:
        if not self._unread:
            self._source.status.right(STATUS)
            return
        some = ", ".join(sorted(self._unread)[:3])
        self._source.status.wrong(STATUS, (
            f"VTEX does not answer {len(self._unread)} customers of account {self._source.client.account}, though it "
            f"answers others: they are asked for again by themselves; if this stays, ask VTEX's support about the CL "
            f"documents {some}"
        ))  # fmt: skip


async def gather(*calls: Any) -> list[Any]:
    """Await all; the first failure cancels the others, whose answers nobody would read, and waits for their ends.

    Not by a TaskGroup: before Python 3.13 one whose member fails leaves the task that waits marked as cancelled, and a
    reader that is so marked ends. Nor by asyncio's gather: who is cancelled in it cancels the members twice, and the
    second time hits what they do at their end: a step that is committed, a scroll that is drained, a closing consumer.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        ends = [task for task in tasks if task.done()]
        for failure in (task.exception() for task in ends if not task.cancelled()):
            if failure is not None:
                raise failure
        return [task.result() for task in tasks]
    finally:
        await _ended(tasks)


async def _ended(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    left = [task for task in tasks if task.cancel()]
    if left:
        await asyncio.wait(left)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen
