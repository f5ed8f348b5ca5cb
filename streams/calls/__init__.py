"""Who makes the calls that agents stage: one handler for each kind of effect.

A handler answers with an outcome for everything that a destination can do. It opens the store's token for the call and
keeps nothing.
"""

import httpx

from connectors.outbound import without_cookies
from streams.calls.access import Access
from streams.calls.gathering import Pacer
from streams.calls.hellotext import HellotextCalls
from streams.calls.infobip import InfobipCalls
from streams.engine.effect import EffectHandler
from streams.stores import Stores

__all__ = ["handlers"]


def handlers(stores: Stores, http: httpx.AsyncClient) -> dict[str, EffectHandler]:
    """Return who makes which kind of effect.

    Args:
        stores: the connected stores.
        http: shared by all; its read time-out must be below the engine's `EffectSettings.timeout_s`.
    """
    access = Access(stores, without_cookies(http))
    hellotext, infobip = HellotextCalls(access), InfobipCalls(access, Pacer())
    return {
        "hellotext.profile": hellotext.profile,
        "hellotext.forget": hellotext.forget,
        "hellotext.session": hellotext.session,
        "hellotext.event": hellotext.event,
        "hellotext.message": hellotext.message,
        "hellotext.state": hellotext.state,
        "infobip.person": infobip.person,
        "infobip.forget": infobip.forget,
        "infobip.message": infobip.message,
        "infobip.log": infobip.log,
    }
