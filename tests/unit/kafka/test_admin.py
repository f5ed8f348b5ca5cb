"""When topics can be used, and what stands on them: a client may ask any broker of a cluster next."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NodeNotReadyError,
    NotCoordinatorForGroupError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.commit import OffsetFetchRequest

from connectors.kafka import admin
from connectors.kafka.admin import SET_ON_THE_TOPIC, Admin
from connectors.kafka.errors import BrokerUnreachable, ProvisioningRefused

KNOWN = {"topic": "t", "error_code": 0, "partitions": [{"leader": 1, "replicas": [1, 2, 3]}]}
LEADERLESS = {**KNOWN, "partitions": [{"leader": -1, "replicas": [1, 2, 3]}]}
ABSENT = (3, "This server does not host this topic-partition.", 2, "t", [])
SMALL = (0, None, 2, "t", [("segment.bytes", "1", False, SET_ON_THE_TOPIC, False, [])])
LARGE = (0, None, 2, "t", [("segment.bytes", "9", False, SET_ON_THE_TOPIC, False, [])])


class Cluster:
    """Three brokers, and what each of them knows of topics, or answers about their settings; None: it is down."""

    def __init__(self, *brokers):
        self.brokers = dict(enumerate(brokers, 1))
        self.asked = 0

    async def describe_cluster(self):
        """Return the brokers."""
        return {"brokers": [{"node_id": number} for number in self.brokers]}

    async def alter_configs(self, _):
        """Take the settings; whoever is asked about them hears of it, or does not."""
        return [SimpleNamespace(resources=[(0, None, 2, "t")])]

    async def _send_request(self, request, node):
        if node is None:  # any: each time the next one
            self.asked, node = self.asked + 1, list(self.brokers)[self.asked % len(self.brokers)]
        known = self.brokers[node]
        if known is None:
            raise NodeNotReadyError
        if isinstance(request, DescribeConfigsRequest):
            return SimpleNamespace(resources=known)
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


async def test_settings_are_asked_again_of_a_broker_that_does_not_know_the_topic_yet():
    """It is no refusal: the controller tells brokers of a topic one after another."""
    assert await Admin(Cluster([ABSENT], [SMALL])).settings(["t"]) == {"t": {"segment.bytes": "1"}}


async def test_a_topic_that_no_broker_ever_knows_is_told(monkeypatch):
    """With its name, after a while."""
    monkeypatch.setattr(admin, "HEARD_TIMEOUT_S", 0.05)

    with pytest.raises(BrokerUnreachable, match="in vain until topics t are known"):
        await Admin(Cluster([ABSENT])).settings(["t"])


async def test_settings_are_set_when_every_broker_that_answers_knows_them(monkeypatch):
    """Also when the one that is asked first does, and another one still has the old ones, or not even the topic."""
    monkeypatch.setattr(admin, "HEARD_TIMEOUT_S", 0.05)

    await Admin(Cluster([LARGE], None, [LARGE])).set_settings({"t": {"segment.bytes": "9"}})
    for late in (SMALL, ABSENT):
        with pytest.raises(BrokerUnreachable, match="in vain until settings of t are seen"):
            await Admin(Cluster([LARGE], [LARGE], [late])).set_settings({"t": {"segment.bytes": "9"}})


class Deleting(Cluster):
    """A cluster that answers a deletion with one code for each topic."""

    code = 0

    async def delete_topics(self, names):
        """Answer; what brokers list stays as it was."""
        return SimpleNamespace(topic_error_codes=[(name, self.code) for name in names])


async def test_topics_are_deleted_when_no_broker_lists_them(monkeypatch):
    """Also when the one that is asked first has forgotten, and another one has not; one that is down is not asked."""
    monkeypatch.setattr(admin, "HEARD_TIMEOUT_S", 0.05)

    await Admin(Deleting([], None, [])).delete(["t"])
    with pytest.raises(BrokerUnreachable, match="in vain until topics t are gone"):
        await Admin(Deleting([], [], [KNOWN])).delete(["t"])


async def test_a_deletion_that_is_refused_is_told_and_one_of_nothing_is_not():
    """By its topic and the broker's reason: who may not delete reads it instead of a count of topics."""
    cluster = Deleting([])
    cluster.code = UnknownTopicOrPartitionError.errno
    await Admin(cluster).delete(["t"])
    cluster.code = TopicAuthorizationFailedError.errno
    with pytest.raises(ProvisioningRefused, match="does not delete topic t: TopicAuthorizationFailedError"):
        await Admin(cluster).delete(["t"])


@pytest.mark.parametrize(
    ("told", "deserted"),
    [
        ([0, "g", "Dead", "", "", []], True),
        ([0, "g", "Stable", "", "", ["m"]], False),
        ([14, "g", "", "", "", []], False),
    ],
)
async def test_a_group_without_members_is_deserted_and_one_that_is_being_loaded_is_not(told, deserted):
    """What a coordinator does not know yet is no absence; neither is a coordinator that is not there."""

    class Coordinator:
        async def describe_consumer_groups(self, _):
            return [SimpleNamespace(groups=[told])]

    class Absent:
        async def describe_consumer_groups(self, _):
            raise GroupCoordinatorNotAvailableError

    assert await Admin(Coordinator()).deserted("g") is deserted
    assert not await Admin(Absent()).deserted("g")


class Coordinated(Cluster):
    """One broker; what it says of who coordinates a group, then of the group's offsets: each time the next answer."""

    def __init__(self, *answers, topics=("__consumer_offsets",)):
        super().__init__([{**KNOWN, "topic": name} for name in topics])
        self.answers = iter(answers)

    async def find_coordinator(self, _):
        """Tell, or not."""
        answer = next(self.answers)
        if answer is GroupCoordinatorNotAvailableError:
            raise answer
        return answer

    async def _send_request(self, request, node):
        if isinstance(request, OffsetFetchRequest):
            code, *offsets = next(self.answers)
            topics = [("t", [(number, offset, "", 0) for number, offset in offsets])]
            return SimpleNamespace(error_code=code, topics=topics if offsets else [])
        return await super()._send_request(request, node)


async def test_a_coordinator_that_loads_or_moves_is_waited_for():
    """After a broker's restart, say: taken for "nothing committed", an audit would find all of it in flight."""
    loads, moved = GroupLoadInProgressError.errno, NotCoordinatorForGroupError.errno
    cluster = Coordinated(GroupCoordinatorNotAvailableError, 1, (loads,), 1, (moved,), 1, (0, (0, 7), (1, -1)))
    assert await Admin(cluster).committed("g") == {TopicPartition("t", 0): 7}


async def test_where_no_group_has_ever_been_nothing_is_committed():
    """There is not even the topic of offsets; whoever may not read them is told."""
    assert await Admin(Coordinated(GroupCoordinatorNotAvailableError, topics=())).committed("g") == {}
    with pytest.raises(ProvisioningRefused, match="offsets of group g cannot be read: GroupAuthorizationFailed"):
        await Admin(Coordinated(1, (GroupAuthorizationFailedError.errno,))).committed("g")
