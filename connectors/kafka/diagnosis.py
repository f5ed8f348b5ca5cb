"""Why a broker that listens lets nobody in: aiokafka says only that it could not connect, and logs the rest."""

import asyncio
import ssl
from typing import Final, NamedTuple

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from connectors.kafka.connection import KafkaConnection, KafkaSecurity

ASK_MS: Final = 5_000


class Refusal(NamedTuple):
    """What a broker has against us.

    Attributes:
        reason: and what to correct.
        for_good: whether trying again is in vain.
    """

    reason: str
    for_good: bool


async def why_refused(connection: KafkaConnection, host: str, port: int) -> Refusal | None:
    """Return why a broker that listens does not let us in; None when it does, or is not there.

    Args:
        connection: its security.
        host: of one broker.
        port: of one broker.
    """
    try:
        async with asyncio.timeout(ASK_MS / 1000):
            client = await create_conn(host, port, request_timeout_ms=ASK_MS, **connection.security.options())
    except (KafkaError, OSError) as error:  # a time-out too
        return _meaning(error, connection.security)
    client.close()
    return None


def _meaning(error: Exception, security: KafkaSecurity) -> Refusal | None:
    match error:
        case ssl.SSLCertVerificationError():
            advice = "set KAFKA_SSL_CAFILE to the authority that signed it"
            return Refusal(f"its certificate is not trusted ({error.verify_message}): {advice}", for_good=True)
        case SaslAuthenticationFailed():
            reason = "it refuses the login: correct KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
            return Refusal(reason, for_good=True)
        case UnsupportedSaslMechanismError():
            reason = f"it does not know the mechanism {security.mechanism}: correct KAFKA_SASL_MECHANISM"
            return Refusal(reason, for_good=True)
        case KafkaError() | ssl.SSLError() | ConnectionResetError():
            reason = (
                f"it hangs up: its port wants something else than KAFKA_SECURITY_PROTOCOL={security.protocol} "
                "(TLS or none, a login or none)"
            )
            return Refusal(reason, for_good=False)
    return None
