"""Messages at Hellotext: pending, routed, then delivered or failed; nobody is told, it must be asked (B5)."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.hellotext.answers import nested
from sandbox.hellotext.book import Business, Document

TECHNOLOGIES: Final = frozenset(("sms", "whatsapp", "instagram", "mercadolibre"))
ROUTED_AFTER: Final = 0.3
DONE_AFTER: Final = 1.0
FAILING: Final = "9"
"""Messages to numbers that end so never arrive: for whoever wants to see a failure."""


def accept(business: Business, body: Mapping[str, Any]) -> Document:
    """Take a message.

    Raises:
        Refusal: 422, in the nested form.
    """
    technology, destination = body.get("technology"), body.get("destination")
    if technology not in TECHNOLOGIES:
        raise nested(422, "invalid", "This technology is not known.", "technology")
    if destination is None:
        destination = business.profile(str(body.get("profile") or "")).fields.get("phone")
    if not isinstance(destination, str) or not destination.startswith("+"):
        raise nested(422, "invalid", "The destination is written in E.164.", "destination")
    if not body.get("body") and not body.get("template"):
        raise nested(422, "parameter_missing", "Send a body or a template.", "body")
    message = {
        "id": business.new_id(), "technology": technology, "destination": destination, "body": body.get("body"),
        "template": body.get("template"), "created_at": business.clock(),
    }  # fmt: skip
    business.messages[message["id"]] = message
    return message


def shown(business: Business, message: Document) -> Document:
    """Return a message with the state that it has by now."""
    age = business.clock() - message["created_at"]
    done = "failed" if message["destination"].endswith(FAILING) else "delivered"
    state = "pending" if age < ROUTED_AFTER else "routed" if age < DONE_AFTER else done
    return {**message, "state": state}
