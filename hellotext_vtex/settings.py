"""Every setting of the product, read once, here: from the environment or a `.env` file (DESIGN section 9).

Nothing below the front door reads the environment: each part is handed its own settings, made by the methods here.
A wrong value ends the command with one line that names the variable and what it takes.
"""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from connectors.console.settings import ConsoleSettings
from connectors.kafka.connection import KafkaConnection, KafkaSecurity, SaslMechanism, SecurityProtocol
from connectors.kafka.resolve import BrokerWish
from connectors.pixel.settings import CollectorSettings
from connectors.vtex.settings import PollerSettings
from streams.call_rates import GATHERED, RATES
from streams.engine.settings import EffectSettings, EngineSettings

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_DOTENV: Final = ".env"
_CLOSE: Final = 0.85
"""So alike are SECRET_KEY and SECRETS_KEY; other programs' KAFKA_HEAP_OPTS and COLLECTOR_SERVICE_PORT are not."""
_INSTANCE = r"^[A-Za-z0-9._-]{1,100}$"


class SettingsError(Exception):
    """A setting cannot be used; the message names it and says what it takes."""


def _rate(destination: str, what: str) -> Any:
    return Field(default=RATES[destination], gt=0, le=10_000, description=f"A second, of one store: {what}.")


class Settings(BaseSettings):
    """What an operator may choose. Each field is the environment variable of the same name, in capitals.

    A variable that is empty is one that is not set: so compose and Kubernetes hand on what nobody has chosen.
    """

    model_config = SettingsConfigDict(
        env_file=_DOTENV, env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )

    kafka_bootstrap_servers: str = Field(default="", description="A broker that runs: host:port,host:port.")
    kafka_docker: bool = Field(default=False, description="Without one: run the broker in Docker, not embedded.")
    java_home: Path | None = Field(default=None, description="A Java to look at first, for the embedded broker.")
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,100}$", description="Before every topic.")
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    kafka_sasl_mechanism: SaslMechanism = "PLAIN"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: Path | None = Field(default=None, description="PEM of the authorities to trust.")
    kafka_ssl_certfile: Path | None = Field(default=None, description="PEM of our certificate, for mutual TLS.")
    kafka_ssl_keyfile: Path | None = Field(default=None, description="PEM of its private key.")
    partitions: int = Field(default=4, ge=1, le=1000, description="Of every topic, chosen once, at installation.")
    replication: int = Field(default=1, ge=1, le=9, description="Replicas of topics that are created.")

    state_folder: Path = Field(default=Path(".state"), description="Secrets key, spool, tables on disk.")
    secrets_key: SecretStr | None = Field(default=None, description="Seals the stores' secrets; made when missing.")
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    collector_host: str = "127.0.0.1"
    collector_port: int = Field(default=8080, ge=0, le=65535, description="0 takes a free one.")
    collector_url: str | None = Field(default=None, description="Where browsers and vendors reach the collector.")
    collector_trusted_proxies: int = Field(default=0, ge=0, description="Proxies of ours in front of it.")
    collector_rate: float = Field(default=5_000.0, gt=0, description="Events a second of one store.")
    collector_burst: float = Field(default=20_000.0, gt=0, description="Events that may come at once.")
    collector_spool_limit: int = Field(default=1 << 30, ge=1 << 20, description="Bytes of the spool.")

    console_host: str = "127.0.0.1"
    console_port: int = Field(default=8090, ge=0, le=65535, description="0 takes a free one.")
    console_password: SecretStr | None = Field(default=None, description="Asked of every visitor when given.")
    console_locale: str = Field(default="en", description="Of numbers and dates, such as pt_BR.")
    console_hosts: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="Public names, by commas.")

    worker_instance: str | None = Field(
        default=None, pattern=_INSTANCE, description="Unique and stable; by default the first free one of this machine."
    )
    worker_web_host: str = "127.0.0.1"
    worker_web_port: int | None = Field(
        default=None, ge=1, le=65535, description="Health and metrics; none by default."
    )
    worker_wait_ms: int = Field(default=15, ge=1, le=10_000, description="Pause between batches of a topic.")
    worker_standby: int = Field(default=0, ge=0, le=5, description="Workers that keep a copy of each table.")
    rate_hellotext: float = _rate("hellotext", "profiles and sessions")
    rate_hellotext_events: float = _rate("hellotext-events", "events passed on")
    rate_hellotext_messages: float = _rate("hellotext-messages", "messages")
    rate_infobip: float = _rate("infobip", "persons, sent up to 200 a request and 5 requests a second")
    rate_infobip_messages: float = _rate("infobip-messages", "messages")

    poller_instance: str | None = Field(
        default=None, pattern=_INSTANCE, description="Unique and stable; by default the first free one of this machine."
    )
    poller_interval: float = Field(default=5.0, gt=0, description="Seconds between two looks at a store's customers.")

    sandbox_host: str = "127.0.0.1"
    sandbox_port: int = Field(default=8070, ge=0, le=65535, description="0 takes a free one.")

    @field_validator("console_hosts", mode="before")
    @classmethod
    def _listed(cls, names: object) -> object:
        """Take `a.example, b.example`, from the environment as from a file."""
        return tuple(name.strip() for name in names.split(",") if name.strip()) if isinstance(names, str) else names

    def connection(self) -> KafkaConnection:
        """Return how to reach the broker that was given."""
        return KafkaConnection(self.kafka_bootstrap_servers, self.topic_prefix, self._security())

    def broker(self, data: Path | None = None, port: int | None = None) -> BrokerWish:
        """Return which broker to have."""
        return BrokerWish(
            self.kafka_bootstrap_servers, self.kafka_docker, self.topic_prefix, self._security(), data=data, port=port,
            java_home=self.java_home,
        )  # fmt: skip

    def _security(self) -> KafkaSecurity:
        try:
            return KafkaSecurity(
                self.kafka_security_protocol, self.kafka_sasl_mechanism, self.kafka_sasl_username,
                self.kafka_sasl_password, self.kafka_ssl_cafile, self.kafka_ssl_certfile, self.kafka_ssl_keyfile,
            )  # fmt: skip
        except ValueError as error:
            raise SettingsError(f"KAFKA_SECURITY_PROTOCOL: {error}") from error

    @property
    def public_collector_url(self) -> str:
        """Where browsers and vendors reach the collector."""
        return (self.collector_url or f"http://{self.collector_host}:{self.collector_port}").rstrip("/")

    def collector(self) -> CollectorSettings:
        """Return the collector's settings."""
        return CollectorSettings(
            host=self.collector_host, port=self.collector_port, spool=self.state_folder / "spool",
            spool_limit=self.collector_spool_limit, rate=self.collector_rate, burst=self.collector_burst,
            trusted_proxies=self.collector_trusted_proxies,
        )  # fmt: skip

    def console(self) -> ConsoleSettings:
        """Return the console's settings.

        Raises:
            SettingsError: it would be open to a network without a password.
        """
        if self.console_password is None and self.console_host not in _LOOPBACK:
            raise SettingsError(
                f"CONSOLE_HOST={self.console_host} can be reached from elsewhere, and the console shows a shop's "
                "figures and connects stores: set CONSOLE_PASSWORD too"
            )
        return ConsoleSettings(
            host=self.console_host, port=self.console_port, collector_url=self.public_collector_url,
            hosts=self.console_hosts, password=self.console_password, locale=self.console_locale,
        )  # fmt: skip

    def poller(self, instance: str) -> PollerSettings:
        """Return the settings of a poller of that name."""
        return PollerSettings(interval=self.poller_interval, instance=instance, collector_url=self.collector_url)

    def worker(self, instance: str) -> EngineSettings:
        """Return the settings of a worker of that name."""
        return EngineSettings(
            instance=instance, wait_ms=self.worker_wait_ms, standby_replicas=self.worker_standby,
            state_folder=self.state_folder / "tables" / instance, web_host=self.worker_web_host,
            web_port=self.worker_web_port, effects=EffectSettings(rates=self.rates(), gathered=GATHERED),
        )  # fmt: skip

    def rates(self) -> dict[str, float]:
        """Return calls a second to one destination of one store, by destination."""
        return {name: float(getattr(self, f"rate_{name.replace('-', '_')}")) for name in RATES}

    @classmethod
    def names(cls) -> list[str]:
        """Return the environment variables, in the order above."""
        return [name.upper() for name in cls.model_fields]


def read_settings(**overrides: object) -> Settings:
    """Read the settings.

    Args:
        overrides: what a command's own flags say; None says nothing.

    Raises:
        SettingsError: names each variable that is wrong.
    """
    try:
        return Settings.model_validate({name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in error.errors())
        raise SettingsError(f"{told}. Correct it in the environment or in .env.") from None


def misspelt() -> dict[str, str]:
    """Return variables that are set and are no settings, but nearly the name of one: what was meant, by what stands."""
    known = Settings.names()
    given = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)} - set(known)
    near = {name: get_close_matches(name, known, 1, _CLOSE) for name in sorted(given)}
    return {name: meant[0] for name, meant in near.items() if meant}
