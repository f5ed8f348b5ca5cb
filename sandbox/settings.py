"""What a person may choose about the sandbox; read by the front door and handed in."""

from dataclasses import dataclass, field

from sandbox.temper import GENTLE as GENTLE_VENDOR
from sandbox.temper import Temper
from sandbox.vtex.hostility import GENTLE as GENTLE_VTEX
from sandbox.vtex.hostility import Hostility


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Everything is in memory and gone when the process ends.

    Attributes:
        host, port: one port for all stand-ins; 0 takes a free one, the address bound is told to `ready`.
        accounts: VTEX accounts that exist from the beginning, each with a business at Hellotext and a key at Infobip.
        countries: of these accounts, in the same order; Brazil for those beyond.
        customers: that each account has before anything happens.
        seed: the same seed makes the same people.
        collector: where the storefront's pages load the pixel from, until a call of `/control` says otherwise.
        vtex, hellotext, infobip: how badly each stand-in behaves; `POST /control/temper` changes it while it runs.
    """

    host: str = "127.0.0.1"
    port: int = 8070
    accounts: tuple[str, ...] = ("acme", "bela")
    countries: tuple[str, ...] = ("BR", "CL")
    customers: int = 30
    seed: int = 1
    collector: str = "http://127.0.0.1:8080"
    vtex: Hostility = field(default=GENTLE_VTEX)
    hellotext: Temper = field(default=GENTLE_VENDOR)
    infobip: Temper = field(default=GENTLE_VENDOR)
