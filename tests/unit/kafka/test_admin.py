"""When topics can be used: a client may ask any broker of a cluster next."""

from types import SimpleNamespace

from aiokafka.errors import NodeNotReadyError

from connectors.kafka.admin import Admin

KNOWN = {"topic": "t", "error_code": 0, "partitions": [{"leader": 1, "replicas": [1, 2, 3]}]}
LEADERLESS = {**KNOWN, "partitions": [{"leader": -1, "replicas": [1, 2, 3]}]}


class Cluster:
    """Three brokers, and the topics that each of them knows; None: it is down."""

    def __init__(self, *brokers):
        self.brokers = dict(enumerate(brokers, 1))

    async def describe_cluster(self):
        """Return the brokers."""
        return {"brokers": [{"node_id": number} for number in self.brokers]}

    async def _send_request(self, _, node):
        known = self.brokers[node]
        if known is None:
            raise NodeNotReadyError
        return SimpleNamespace(to_object=lambda: {"topics": known})


async def ready(*brokers):
    """Return whether the topic can be used on such a cluster."""
    return await Admin(Cluster(*brokers))._ready(["t"])


async def test_every_broker_that_answers_has_to_know_a_topic():
    """Also its leaders; one that is down learns of it before it is up again."""
    assert await ready([KNOWN], [KNOWN], [KNOWN])
    assert await ready([KNOWN], None, [KNOWN])
    assert not await ready([KNOWN], [KNOWN], [])
    assert not await ready([KNOWN], [LEADERLESS], [KNOWN])
