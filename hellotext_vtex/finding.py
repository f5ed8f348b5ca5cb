"""What doctor finds."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what it is.
        state: `wrong` is something that does not work.
        detail: what was found, and what to do where it is not `ok`.
    """

    about: str
    state: State
    detail: str
