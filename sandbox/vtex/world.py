"""What the parts of one account share: its name, the time, the mood, chance, and the courier."""

import uuid
from dataclasses import dataclass, field
from random import Random

from sandbox.vtex.clock import SECOND, Clock, system_clock
from sandbox.vtex.courier import Courier, Parcel
from sandbox.vtex.hostility import GENTLE, Dice, Hostility


@dataclass(slots=True)
class World:
    """The surroundings of an account.

    Attributes:
        hostility: may be replaced at any time; the rows of chance go on.
        numbers: what ids are made of; the same account and seed give the same ones.
    """

    account: str
    clock: Clock = system_clock
    hostility: Hostility = GENTLE
    courier: Courier = field(init=False)
    dice: Dice = field(init=False)
    numbers: Random = field(init=False)

    def __post_init__(self) -> None:
        self.courier = Courier(self.clock)
        self.dice = Dice(self.hostility.seed)
        self.numbers = Random(f"{self.account}:{self.hostility.seed}")

    def now(self) -> int:
        """Return the time that documents get: rounded down where many are to be equal."""
        ticks = self.clock()
        step = round(self.hostility.coarse * SECOND)
        return ticks - ticks % step if step else ticks

    def later(self, kind: str, least: float, most: float) -> int:
        """Return a tick between `least` and `most` seconds from now."""
        wait = most if most <= least else self.dice.row(kind).uniform(least, most)
        return self.clock() + round(wait * SECOND)

    def new_id(self) -> str:
        """Return an id as Master Data makes them."""
        return str(uuid.UUID(int=self.numbers.getrandbits(128), version=1))

    def tell(self, parcel: Parcel | None) -> None:
        """Send a notification, unless it is lost."""
        if parcel is not None and not self.dice.falls("hook loss", self.hostility.hook_losses):
            self.courier.post(parcel)
