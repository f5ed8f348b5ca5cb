"""Who makes the calls to Infobip that agents stage: persons, gathered into few requests, and messages."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from connectors.infobip.answers import MessageStatus, PersonResult
from connectors.infobip.client import MOST_PERSONS
from connectors.outbound import CallError, Invalid
from schemas.fates import EffectOutcome
from streams.calls.access import Access
from streams.calls.gathering import Gathering, Pacer
from streams.calls.outcomes import answered, failed, outcome_of
from streams.engine.effect import Effect


class InfobipCalls:
    """Handlers of `infobip.*` effects.

    Args:
        access: to the stores' accounts.
        pacer: of the accounts.
    """

    def __init__(self, access: Access, pacer: Pacer) -> None:
        self._access = access
        self._pacer = pacer
        self._persons = Gathering(self._upsert, self._turn, MOST_PERSONS, _contacts)

    async def person(self, effect: Effect) -> EffectOutcome:
        """Create or update a person; the result tells its `id`."""
        return await self._persons.call(effect)

    async def forget(self, effect: Effect) -> EffectOutcome:
        """Delete a person."""
        return await answered(effect, self._forget(effect))

    async def message(self, effect: Effect) -> EffectOutcome:
        """Send a message; the result tells its `state`."""
        return await answered(effect, self._message(effect), renewable=True)

    async def log(self, effect: Effect) -> EffectOutcome:
        """Look for an SMS by our own message id; the result tells its `state`, or that it is not there."""
        return await answered(effect, self._log(effect), renewable=True)

    async def _turn(self, store: str) -> None:
        try:
            access = self._access.connection(store).infobip
        except CallError:
            return  # told by the call itself
        if access is not None:
            await self._pacer.turn(access.url)

    async def _upsert(self, store: str, effects: Sequence[Effect]) -> list[EffectOutcome] | None:
        try:
            results = await self._access.infobip(store).upsert([effect.payload["fields"] for effect in effects])
        except CallError as error:
            if len(effects) > 1 and _about_the_request(error):
                return None
            return [failed(effect, error) for effect in effects]
        return [_person(effect, result) for effect, result in zip(effects, results, strict=True)]

    async def _forget(self, effect: Effect) -> dict[str, Any]:
        await self._turn(effect.store)
        await self._access.infobip(effect.store).erase(effect.payload["customer"])
        return {}

    async def _message(self, effect: Effect) -> dict[str, Any]:
        infobip = self._access.infobip(effect.store)
        send = {"sms": infobip.send_sms, "template": infobip.send_template, "text": infobip.send_whatsapp}
        return _told(await send[effect.payload["form"]](effect.payload["message"]))

    async def _log(self, effect: Effect) -> dict[str, Any]:
        status = await self._access.infobip(effect.store).sms_log(effect.payload["message"])
        return {"found": False} if status is None else {"found": True, **_told(status)}


def _about_the_request(error: CallError) -> bool:
    """Whether the whole request was refused for what is in it (contracts/infobip CONTRACT 2: 400103, 400104)."""
    return isinstance(error, Invalid) and error.status is not None and error.status >= HTTPStatus.BAD_REQUEST


_UNWRITTEN: Final = 0


def _person(effect: Effect, result: PersonResult) -> EffectOutcome:
    if result.status == HTTPStatus.OK:
        return outcome_of(effect, "done", result={"id": result.id or effect.payload["customer"]})
    reason = f"Infobip answered {result.status} for this person: {', '.join(result.problems)}"
    if result.status == _UNWRITTEN:
        return outcome_of(effect, "uncertain", reason="Infobip's answer passes over this person")
    if result.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return outcome_of(effect, "uncertain", code=result.status, reason=reason)
    # 401, 403 and 404 would mean the connection; an item's code is about this person.
    return outcome_of(effect, "rejected", code=HTTPStatus.UNPROCESSABLE_ENTITY, reason=reason)


def _told(status: MessageStatus) -> dict[str, Any]:
    return {"state": status.state, "name": status.name, "error": status.error}


def _contacts(effect: Effect) -> frozenset[str]:
    fields = effect.payload["fields"]
    contacts = fields.get("contactInformation", ())
    return frozenset((effect.payload["customer"], *(contact["identifier"] for contact in contacts)))
