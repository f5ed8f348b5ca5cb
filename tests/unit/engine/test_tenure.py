"""For how long a worker takes its shards for its own."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

from streams.engine import tenure as module
from streams.engine.tenure import Tenure, ToldCoordinator

SESSION_S = 6.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The clock of tenures and heartbeats."""
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


def test_it_ends_before_the_session_does_and_leaves_time_for_calls_under_way(clock):
    """Counted from when the heartbeat was sent, however late its answer came."""
    tenure = Tenure(SESSION_S)
    clock.now += 10
    assert tenure.over_for == 10
    tenure.confirm(clock.now - 3)
    assert tenure.over_for == 0
    clock.now += 0.9
    assert tenure.over_for == 0
    clock.now += SESSION_S / 3
    assert tenure.over_for == pytest.approx(1.9)


async def test_who_waits_for_it_goes_on_when_a_heartbeat_is_answered_again(clock, monkeypatch):
    """A broker that was restarted, a network that is back."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    tenure = Tenure(SESSION_S)
    clock.now += 1
    waiting = asyncio.create_task(tenure.held())
    await asyncio.sleep(0)
    assert not waiting.done()
    tenure.confirm(clock.now)
    await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize(
    ("kind", "error", "confirms"),
    [(HeartbeatRequest, None, True), (SyncGroupRequest, None, True), (HeartbeatRequest, UnknownMemberIdError, False),
     (HeartbeatRequest, RebalanceInProgressError, False), (OffsetFetchRequest, None, False)],
)  # fmt: skip
async def test_only_the_groups_yes_confirms_and_from_when_it_was_asked(clock, monkeypatch, kind, error, confirms):
    """A network that holds the answer back gives nobody more time."""
    answer = SimpleNamespace(error_code=error.errno if error else 0)

    async def send(self, request):
        clock.now += 5
        return answer

    monkeypatch.setattr(GroupCoordinator, "_send_req", send)
    coordinator, confirmed = object.__new__(ToldCoordinator), []
    coordinator.confirm = confirmed.append
    assert await coordinator._send_req(object.__new__(kind)) is answer
    assert confirmed == [1000.0] * confirms


@pytest.mark.parametrize(
    ("error", "dead"),
    [(GroupLoadInProgressError, 0), (NotCoordinatorForGroupError, 1), (GroupCoordinatorNotAvailableError, 1)],
)
async def test_a_coordinator_that_refuses_to_say_what_is_committed_is_asked_again(monkeypatch, error, dead):
    """Aiokafka takes the refusal of a broker that has just started for "nothing": all would be counted once more."""
    here = TopicPartition("pixel.events", 0)
    refusal = SimpleNamespace(error_code=error.errno, topics=[])
    answer = SimpleNamespace(error_code=0, topics=[(here.topic, [(here.partition, 7, "", 0)])])
    answers = [refusal, answer]

    async def send(self, request):
        return answers.pop(0)

    async def known(self):
        """Look nothing up."""

    monkeypatch.setattr(GroupCoordinator, "_send_req", send)
    monkeypatch.setattr(GroupCoordinator, "ensure_coordinator_known", known)
    lost, coordinator = [], object.__new__(ToldCoordinator)
    coordinator.coordinator_dead = lambda: lost.append(error)
    coordinator.group_id, coordinator._retry_backoff_ms = "streams", 0
    found = await coordinator.fetch_committed_offsets([here])
    assert {tp: one.offset for tp, one in found.items()} == {here: 7}
    assert lost == [error] * dead
