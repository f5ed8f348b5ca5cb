"""Who makes the calls to Hellotext that agents stage: profiles, sessions, events and messages."""

from typing import Any

from connectors.hellotext.answers import shows
from schemas.fates import EffectOutcome
from streams.calls.access import Access
from streams.calls.outcomes import answered
from streams.engine.effect import Effect


class HellotextCalls:
    """Handlers of `hellotext.*` effects.

    Args:
        access: to the stores' businesses.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    async def profile(self, effect: Effect) -> EffectOutcome:
        """Create, or match, or update a profile; the result tells its `id`."""
        return await answered(effect, self._profile(effect))

    async def forget(self, effect: Effect) -> EffectOutcome:
        """Delete a profile."""
        return await answered(effect, self._forget(effect))

    async def session(self, effect: Effect) -> EffectOutcome:
        """Link a browser session to a profile."""
        return await answered(effect, self._session(effect))

    async def event(self, effect: Effect) -> EffectOutcome:
        """Pass on a tracking event, an acknowledgement or an identification."""
        return await answered(effect, self._event(effect))

    async def message(self, effect: Effect) -> EffectOutcome:
        """Send a message; the result tells its `id` where Hellotext does."""
        return await answered(effect, self._message(effect), renewable=True)

    async def state(self, effect: Effect) -> EffectOutcome:
        """Ask how a message stands; the result tells its `state`."""
        return await answered(effect, self._state(effect), renewable=True)

    async def _profile(self, effect: Effect) -> dict[str, Any]:
        hellotext = self._access.hellotext(effect.store)
        fields, profile = effect.payload["fields"], effect.payload["id"]
        if profile is None:
            return {"id": await hellotext.create_profile(fields)}
        # After an uncertain answer: what stands there already need not be written again.
        if not (effect.payload["look"] and shows(await hellotext.profile(profile), fields)):
            await hellotext.update_profile(profile, fields)
        return {"id": profile}

    async def _forget(self, effect: Effect) -> dict[str, Any]:
        await self._access.hellotext(effect.store).delete_profile(effect.payload["id"])
        return {}

    async def _session(self, effect: Effect) -> dict[str, Any]:
        hellotext = self._access.hellotext(effect.store)
        await hellotext.link_session(effect.payload["session"], effect.payload["profile"])
        return {}

    async def _event(self, effect: Effect) -> dict[str, Any]:
        hellotext, body = self._access.hellotext(effect.store), effect.payload["body"]
        calls = {
            "event": hellotext.track, "acknowledgement": hellotext.acknowledge, "identification": hellotext.identify,
        }  # fmt: skip
        await calls[effect.payload["kind"]](body)
        return {}

    async def _message(self, effect: Effect) -> dict[str, Any]:
        return {"id": await self._access.hellotext(effect.store).send_message(effect.payload["message"])}

    async def _state(self, effect: Effect) -> dict[str, Any]:
        return {"state": await self._access.hellotext(effect.store).message_state(effect.payload["id"])}
