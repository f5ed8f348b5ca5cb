"""An embedded broker with a second listener, behind TLS and SASL, as managed Kafka has it."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from connectors.kafka.connection import KafkaConnection, KafkaSecurity
from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.ports import free_ports
from connectors.kafka.properties import HOST

USER, PASSWORD = "shop", "hunter2"


class SecuredKafka(EmbeddedKafka):
    """Ours on its plain port; who comes through the other needs TLS and a password.

    Args:
        folder: of the certificate.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(heap="384m")
        self.authority = folder / "authority.pem"
        self._keystore = folder / "broker.pem"
        self._secured_port = 0  # chosen with the others
        certify(self.authority, self._keystore)

    def _make_nodes(self, runtime):
        nodes = super()._make_nodes(runtime)
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        for number, node in nodes.items():
            ports = node.ports[number]
            (self._secured_port,) = free_ports(1, besides=[ports.client, ports.controller])
            node.settings = {
                "listeners": f"PLAINTEXT://{HOST}:{ports.client},CONTROLLER://{HOST}:{ports.controller},"
                             f"SECURED://{HOST}:{self._secured_port}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL",
                "listener.name.secured.ssl.keystore.type": "PEM",
                "listener.name.secured.ssl.keystore.location": self._keystore,
                "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
                "listener.name.secured.plain.sasl.jaas.config": f'{login} user_{USER}="{PASSWORD}";',
            }  # fmt: skip
        return nodes

    @property
    def address(self) -> str:
        """Where the secured listener is."""
        return f"{HOST}:{self._secured_port}"

    def secured(self, topic_prefix: str = "", password: str = PASSWORD) -> KafkaConnection:
        """Return a connection to the secured listener."""
        security = KafkaSecurity("SASL_SSL", "PLAIN", USER, SecretStr(password), self.authority)
        return KafkaConnection(self.address, topic_prefix, security)


def certify(authority: Path, keystore: Path) -> None:
    """Write a self-signed certificate for this host, and with its key as the broker wants it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker of a test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    authority.write_bytes(pem)
    keystore.write_bytes(private + pem)
