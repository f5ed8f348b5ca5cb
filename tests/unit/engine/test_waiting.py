"""A worker that waits says for whom, more and more rarely; one whose shards are fought over says so and what to do."""

from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from connectors.seldom import Seldom
from streams.engine.errors import Fatal
from streams.engine.health import Health
from streams.engine.presence import Presence
from streams.engine.transaction import EXIT_SPLIT_SHARD
from streams.engine.waiting import FIRST_S, LONGEST_S, Contest, WaitLog


def test_intervals_grow_to_a_minute():
    """Two seconds first, then twice as long; a new wait begins anew."""
    intervals = Seldom(2 * FIRST_S, LONGEST_S, quiet_s=FIRST_S)
    said = [second for second in range(400) if intervals.due(float(second))]

    assert said == [2, 6, 14, 30, 62, 122, 182, 242, 302, 362]

    assert intervals.over()
    assert [second for second in range(400, 410) if intervals.due(float(second))] == [402, 406]


def worker(*, restoring=False, live=False, left=None, shards=(), epoch=1):
    """Return an engine as far as the log looks at it, and what is left to restore."""
    return SimpleNamespace(live=live, restoring=restoring, epoch=epoch, shards=dict.fromkeys(shards)), left


def waited(log, pairs):
    """Return what was told while a worker was seen in these states, two seconds apart."""
    with capture_logs() as told:
        for number, (engine, left) in enumerate(pairs):
            log.observe(engine, left, now=2.0 * number)
    return told


def test_it_says_whom_it_waits_for_and_how_far_it_is():
    """The broker, the other workers, its tables; a long wait is a warning; and then that it is at work."""
    restoring = [worker(restoring=True, left=left) for left in (200, 150, 100, 50, 10)]
    told = waited(
        WaitLog("worker-1"),
        [worker(), worker(), worker(left=0), worker(left=0), *restoring, *restoring, *restoring,
         worker(live=True, left=0, shards=(2, 0))],
    )  # fmt: skip

    assert [line["whom"].partition(":")[0] for line in told[:-1]] == [
        "the broker", "an assignment of shards",
        "its tables, which are restored from their changelogs", "its tables, which are restored from their changelogs",
    ]  # fmt: skip
    assert [line["log_level"] for line in told] == ["info", "info", "info", "warning", "info"]
    assert (told[2]["records_left"], told[2]["done"], told[2]["seconds"]) == (50, "75%", 14)
    assert all(line["instance"] == "worker-1" for line in told)
    assert (told[-1]["event"], told[-1]["shards"], told[-1]["after_s"]) == ("this worker is at work", [0, 2], 38.0)


def test_it_says_once_that_it_is_at_work_and_again_after_a_rebalance():
    """One without a shard stands by."""
    at_work = worker(live=True, shards=(1,))
    told = waited(WaitLog("w"), [at_work, at_work, worker(live=True, epoch=3), at_work])

    assert [line["event"] for line in told] == [
        "this worker is at work", "this worker stands by: there are more workers than partitions",
        "this worker is at work",
    ]  # fmt: skip


def test_shards_that_move_again_and_again_are_warned_of():
    """With what to do; a few moves in a minute are usual, and a contest that has ended is forgotten."""
    contest = Contest()
    with capture_logs() as told:
        for second in range(9):
            contest.observe(second, "same", float(second))
        assert (told, contest.moves) == ([], 0)
        for second in range(9, 30):
            contest.observe(second, "same", float(second))
    assert [line["times"] for line in told] == [10, 12, 16, 24]
    assert (told[0]["log_level"], told[0]["instance"]) == ("warning", "same")
    assert "WORKER_INSTANCE" in told[0]["todo"]

    contest.observe(29, "same", 200.0)
    assert contest.moves == 0


def test_health_tells_a_contest():
    """Somebody has to look: nothing is counted twice, and nothing gets on."""
    engine = SimpleNamespace(
        epoch=0, live=True, halted={}, shards={}, settings=SimpleNamespace(instance="same"),
        effects=SimpleNamespace(waits=list),
    )  # fmt: skip
    health = Health(engine)
    for epoch in range(11):
        engine.epoch = epoch
        health.observe({})

    assert not health.healthy
    assert "WORKER_INSTANCE" in health.waits()[0].whom


def test_an_input_topic_that_is_gone_ends_the_worker():
    """Everything would wait for it, and nobody would know for what; one that is created anew at once is read."""
    presence = Presence()
    for now in (0.0, 100.0):  # a consumer that starts has been told nothing
        presence.observe({"pixel.events": False}, now)
    presence.observe({"pixel.events": True}, 200.0)
    presence.observe({"pixel.events": False}, 201.0)
    presence.observe({"pixel.events": False}, 220.0)
    presence.observe({"pixel.events": True}, 221.0)
    presence.observe({"pixel.events": False}, 300.0)
    with pytest.raises(Fatal, match=r"\['pixel.events'\] are gone from the broker") as caught:
        presence.observe({"pixel.events": False}, 320.0)
    assert caught.value.code == EXIT_SPLIT_SHARD
