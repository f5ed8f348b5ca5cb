"""Who gets which shard: Faust's sticky assignor, told what it would otherwise look up and may not find."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from faust.assignor.partition_assignor import PartitionAssignor


class ShardedAssignor(PartitionAssignor):
    """Assigns every topic, also one that the leader's metadata do not know yet.

    Faust leaves out topics that its cached metadata lack: changelogs that were created a moment ago. Their shards
    would be assigned without their tables, and with static membership a restarted worker would get the same again
    and count from nothing. But the number of partitions is known: a worker starts only where it is one for all topics.
    """

    def _get_copartitioned_groups(  # a class method there: the app is needed
        self, topics: set[str], cluster: Any, subscriptions: Mapping[str, Sequence[str]]
    ) -> Mapping[int, Iterable[set[str]]]:
        del cluster
        return {self.app.conf.topic_partitions: self._group_co_subscribed(topics, subscriptions)}
