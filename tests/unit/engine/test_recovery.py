"""A recovery is of one assignment: it ends with it, not when the next one begins."""

import asyncio
from types import SimpleNamespace

import pytest
from faust.tables.recovery import RebalanceAgain, Recovery

from streams.engine.recovery import ExactRecovery


@pytest.fixture
async def recovery(monkeypatch):
    """A recovery that has begun."""

    async def begun(*_, **__):
        """Do nothing."""

    monkeypatch.setattr(Recovery, "on_rebalance", begun)
    app = SimpleNamespace(
        conf=SimpleNamespace(stream_recovery_delay=0.0), engine=SimpleNamespace(epoch=2), consumer_generation_id=1
    )
    recovery = ExactRecovery(app, SimpleNamespace())
    await recovery.on_rebalance(set(), set(), set(), 1)
    return recovery


async def test_no_step_follows_one_in_which_the_assignment_was_revoked(recovery):
    """The next step would let batches flow to an assignment whose tables it knows nothing of."""
    steps = []

    async def step(epoch):
        steps.append(epoch)
        recovery.app.engine.epoch = epoch

    await recovery._wait(step(2))
    with pytest.raises(RebalanceAgain):
        await recovery._wait(step(3))
    with pytest.raises(RebalanceAgain):
        await recovery._wait(step(4))
    assert steps == [2, 3]
    await recovery.on_rebalance(set(), set(), set(), 1)
    await recovery._wait(asyncio.sleep(0))


@pytest.mark.parametrize(("epoch", "ends_with"), [(2, ValueError), (3, RebalanceAgain)])
async def test_what_a_step_comes_upon_when_its_assignment_has_gone_ends_no_worker(recovery, epoch, ends_with):
    """Offsets of the next assignment that nobody has looked up yet, partitions that are another's."""

    async def step():
        recovery.app.engine.epoch = epoch
        raise ValueError

    with pytest.raises(ends_with):
        await recovery._wait(step())


async def test_batches_are_delivered_when_faust_has_emptied_its_queues(recovery, monkeypatch):
    """It does so with its last step: a batch in one of them would be on its way for ever."""
    steps = []

    async def completed(recovery, generation_id):
        steps.append(generation_id)

    monkeypatch.setattr(Recovery, "on_recovery_completed", completed)
    recovery.app.consumer = SimpleNamespace(begin=lambda: steps.append("begin"))
    await recovery.on_recovery_completed(7)
    assert steps == [7, "begin"]


async def test_a_recovery_is_over_when_its_tables_stand_at_their_ends(recovery):
    """Not when Faust looks, every five seconds, nor by records: control records leave gaps that none ever fills."""
    tp = ("counts-changelog", 0)
    recovery.active_tps = {tp}
    recovery.active_highwaters[tp], recovery.active_offsets[tp] = 4, 2
    waiting = asyncio.create_task(recovery.signal_recovery_end.wait())
    recovery.signal_recovery_end.set()
    await asyncio.sleep(0)
    assert not waiting.done()
    recovery.reached(tp, 5)
    await asyncio.wait_for(waiting, 4)
