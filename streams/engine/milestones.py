"""The points that a transaction passes. Crash tests watch them; in production nobody does."""

from typing import Literal, Protocol

Point = Literal[
    "recovering",
    "staged",
    "begun",
    "offsets-sent",
    "records-sent",
    "acknowledged",
    "committing",
    "committed",
    "applied",
]


class Milestones(Protocol):
    """Hears of every point that a shard's transactions pass."""

    def reached(self, point: Point, shard: int) -> None:
        """Called when the point is reached; what comes after it has not begun."""


class Unwatched:
    """Nobody listens."""

    def reached(self, point: Point, shard: int) -> None:
        """Do nothing."""
