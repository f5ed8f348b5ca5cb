"""What an operator may choose about the console; read by the front door and handed in."""

from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Where the console listens and what it tells people.

    Attributes:
        port: 0 takes a free one; the address bound is told to `ready`.
        collector_url: where browsers and vendors reach the collector; stands in snippets and hook addresses.
        hosts: names, besides loopback and `host`, under which browsers may ask for pages (a proxy's public name).
        password: asked of every visitor (HTTP basic, any user name) when given; a must on anything but loopback.
        locale: of numbers and dates (Unicode CLDR), such as `en` or `pt_BR`.
        viewers: live pages open at once; more get 503.
        cells, orders, customers, letters: kept in memory at most; the console says so where something is left out.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    collector_url: str = "http://127.0.0.1:8080"
    hosts: tuple[str, ...] = ()
    password: SecretStr | None = None
    locale: str = "en"
    viewers: int = 200
    cells: int = 500_000
    orders: int = 100_000
    customers: int = 10_000_000
    letters: int = 5_000
