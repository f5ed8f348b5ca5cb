"""Physical names of the streams' own things on the broker."""

from collections.abc import Callable


class StreamNames:
    """Names with the topic prefix.

    Args:
        topic: gives a catalogue topic its prefix (`KafkaConnection.topic`).
    """

    def __init__(self, topic: Callable[[str], str]) -> None:
        self.topic = topic

    @property
    def group(self) -> str:
        """The consumer group of all workers."""
        return self.topic("streams")

    def changelog(self, table: str) -> str:
        """Return the changelog topic of a table."""
        return self.topic(f"streams.{table}-changelog")

    def transactional_id(self, shard: int) -> str:
        """Return the transactional id of a shard."""
        return self.topic(f"streams-{shard}")
