"""Which broker the demo plays on: one of its own, or the one that is given, under topics that nobody else has."""

import secrets

from connectors.kafka.admin import open_admin
from hellotext_vtex.settings import Settings


def for_demo(settings: Settings) -> tuple[Settings, str, bool]:
    """Return the demo's settings, a line that says which broker it uses, and whether its topics are its own to remove.

    On a broker that is given there may be topics of a real installation: without a TOPIC_PREFIX the demo takes one.
    """
    servers = settings.kafka_bootstrap_servers
    if not servers:
        what = "in Docker (KAFKA_DOCKER)" if settings.kafka_docker else "embedded, thrown away at the end"
        return settings, f"broker: one of its own, {what}", False
    given = f"broker: {servers}, from KAFKA_BOOTSTRAP_SERVERS (unset it to have one started here)"
    if settings.topic_prefix:
        return settings, f"{given}; topics {settings.topic_prefix}*, from TOPIC_PREFIX, are used and kept", False
    prefix = f"demo-{secrets.token_hex(3)}."
    settings = settings.model_copy(update={"topic_prefix": prefix})
    return settings, f"{given}; topics {prefix}* are made for it and removed at the end", True


async def remove_topics(settings: Settings) -> None:
    """Remove the topics that were made for the demo."""
    async with open_admin(settings.connection()) as admin:
        await admin.delete([name for name in await admin.shapes() if name.startswith(settings.topic_prefix)])
