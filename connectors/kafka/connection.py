"""How to reach a broker: addresses, topic prefix and security, as every client of ours takes them."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from connectors.kafka.errors import BrokerUnreachable

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class KafkaSecurity:
    """SASL and TLS, passed through to the clients.

    Args:
        protocol: Kafka's `security.protocol`.
        mechanism: of SASL.
        username: of SASL.
        password: of SASL; never shown.
        ca_file: PEM of the authorities to trust; the system's by default.
        certificate: PEM of our own certificate, for mutual TLS.
        key: PEM of its private key.
    """

    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: SaslMechanism = "PLAIN"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if self.uses_sasl and (self.username is None or self.password is None):
            raise ValueError(f"{self.protocol} needs a user name and a password for the broker")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client certificate and its private key go together: give both or neither")

    @property
    def uses_sasl(self) -> bool:
        """Whether the client logs in."""
        return self.protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    def options(self) -> dict[str, Any]:
        """Return aiokafka's security arguments; nothing for PLAINTEXT.

        Raises:
            BrokerUnreachable: a certificate or key file cannot be read.
        """
        options: dict[str, Any] = {} if self.protocol == "PLAINTEXT" else {"security_protocol": self.protocol}
        if self.uses_tls:
            options["ssl_context"] = self._tls()
        if self.uses_sasl and self.password is not None:
            options["sasl_mechanism"] = self.mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password.get_secret_value()
        return options

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(file) for file in (self.ca_file, self.certificate, self.key) if file is not None)
            raise BrokerUnreachable(f"TLS to the broker cannot be set up with {files}: {error}") from error
        return context


PLAINTEXT = KafkaSecurity()


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """A broker, and the prefix under which our topics stand there.

    Args:
        bootstrap_servers: `host:port,host:port`.
        topic_prefix: before every topic, group and transactional id (TOPIC_PREFIX).
        security: SASL and TLS.
    """

    bootstrap_servers: str
    topic_prefix: str = ""
    security: KafkaSecurity = PLAINTEXT

    def options(self) -> dict[str, Any]:
        """Return arguments for any aiokafka client."""
        return {"bootstrap_servers": self.bootstrap_servers, **self.security.options()}

    def topic(self, name: str) -> str:
        """Return a topic's name on the broker; groups and transactional ids are prefixed the same way."""
        return f"{self.topic_prefix}{name}"
