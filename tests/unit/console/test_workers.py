"""Workers that are gone, hang or are too slow stand on the pages as what they are: who, since when, what to do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from connectors.console.workers import ABSENT, BEHIND, MANY, STILL, Workers
from schemas import topics
from schemas.partition import shard_of
from tests.scenarios.console.shop_rows import row
from tests.stores import a_store
from tests.unit.console.conftest import NOW
from tests.unit.console.test_pages import read

SHARD = shard_of("acme", 4)
EVENTS, OTHER = ("pixel.events", SHARD), ("pixel.events", (SHARD + 1) % 4)
ENDS = {("pixel.events", number): 100 for number in range(4)} | {("campaigns", number): 7 for number in range(4)}
DONE = {("pixel.events", number): 100 for number in range(4)}


def looked(*looks, members=1, empty=()):
    """Return what is known after looks, each (seconds, committed offset of the store's shard, its end)."""
    workers = Workers()
    for seconds, committed, end in looks:
        at = NOW + timedelta(seconds=seconds)
        workers.observe(at, members, {**DONE, EVENTS: committed}, {**ENDS, EVENTS: end}, empty)
    return workers


def kind(workers, seconds):
    """Return what is the matter with acme's workers, in a word."""
    trouble = workers.trouble("acme", NOW + timedelta(seconds=seconds))
    return trouble and trouble.kind


def test_nothing_is_said_before_the_first_look_and_while_all_is_consumed():
    """What nobody reads, such as `campaigns` here, waits for nobody."""
    assert kind(Workers(), 0) is None
    assert kind(looked((0, 100, 100), (10, 200, 200)), 1_000) is None


def test_a_few_records_that_wait_for_a_moment_are_no_matter():
    """Events come all the time."""
    assert kind(looked((0, 90, 100), (5, 100, 110), (10, 110, 120)), 10) is None


def test_nobody_runs():
    """After the time that a restart takes, with what waits; and it heals."""
    workers = looked((0, 100, 135), members=0)
    absent = ABSENT.total_seconds()

    assert (kind(workers, absent - 1), kind(workers, absent)) == (None, "absent")
    trouble = workers.trouble("acme", NOW + ABSENT)
    assert (trouble.records, trouble.since) == (35, NOW)
    workers.observe(NOW + ABSENT, 0, {**DONE, EVENTS: 100}, {**ENDS, EVENTS: 140})
    assert workers.trouble("acme", NOW + ABSENT).since == NOW
    workers.observe(NOW + ABSENT, 1, {**DONE, EVENTS: 140}, {**ENDS, EVENTS: 140})
    assert kind(workers, absent) is None


def test_a_worker_that_consumes_nothing_stands_still():
    """Since it last consumed something; what another shard does is not its merit."""
    still = STILL.total_seconds()
    workers = looked((0, 90, 100), (10, 95, 100), (20, 95, 100))

    assert (kind(workers, 10 + still - 1), kind(workers, 10 + still)) == (None, "still")
    assert workers.trouble("acme", NOW + timedelta(hours=1)).since == NOW + timedelta(seconds=10)
    assert workers.trouble("acme", NOW + timedelta(hours=1)).records == 5


def test_the_end_of_a_transaction_is_no_record():
    """It takes an offset that nobody commits until something else comes."""
    workers = looked((0, 99, 100), (100, 99, 100), empty=(EVENTS,))

    assert workers.still({**DONE, EVENTS: 99}, ENDS) == [EVENTS]
    assert kind(workers, 1_000) is None


def test_a_worker_that_is_too_slow_is_behind():
    """It consumes all the time, and never catches up; many records at once are work."""
    behind = BEHIND.total_seconds()
    workers = looked(*((seconds, 10 * seconds, 10 * seconds + MANY) for seconds in range(0, int(behind) + 1, 10)))

    assert (kind(workers, behind - 1), kind(workers, behind)) == ("busy", "behind")
    assert workers.trouble("acme", NOW + BEHIND).since == NOW


def test_nothing_is_known_while_nobody_can_be_looked_at():
    """A broker that is away says nothing about workers."""
    workers = looked((0, 90, 100), members=0)
    workers.unseen()

    assert kind(workers, 1_000) is None


@pytest.mark.parametrize(
    ("members", "committed", "told", "todo"),
    [
        (0, 65, "Worker: none runs, for 5 minutes; 35 records wait", "Start one: hellotext-vtex worker"),
        (0, 100, "Worker: none runs, for 5 minutes", "Start one"),
        (1, 65, "Worker: stands still, for 5 minutes; 35 records wait", "then restart it"),
    ],
)
async def test_a_worker_in_trouble_is_a_problem_on_every_page(make_bench, members, committed, told, todo):
    """On the store's card, in the head of each page, and among who waits for whom; never `worked a while ago`."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store())])
    at = datetime.now(UTC) - timedelta(minutes=5)
    bench.model.workers.observe(at, members, {**DONE, EVENTS: committed}, ENDS)

    html = await bench.html("/")
    _, text = read(html)
    assert told in text
    assert todo in text
    assert '<li class="bad"><span class="dot bad" aria-hidden="true"></span>' in html
    assert told in read(await bench.html("/stores/acme"))[1]


async def test_open_pages_are_told_when_workers_come_and_go(make_bench):
    """Once for each change."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store())])
    model, versions = bench.model, []
    for seconds, members in ((0, 0), (1, 0), (30, 0), (31, 0), (32, 1), (33, 1)):
        now = NOW + timedelta(seconds=seconds)
        model.workers.observe(now, members, DONE, ENDS)
        model.workers_seen(now)
        versions.append(model.version("acme"))

    assert [later - earlier for earlier, later in pairwise(versions)] == [0, 1, 0, 1, 0]


async def test_that_no_worker_runs_is_one_matter_of_all_stores(make_bench):
    """On the first page once, with all that waits; on each store's card and pages for itself."""
    bench = make_bench()
    names = ("acme", "bela", "casa")
    bench.put([row(topics.STORES, name, value=a_store(name)) for name in names])
    at = datetime.now(UTC) - timedelta(minutes=5)
    bench.model.workers.observe(at, 0, {**DONE, EVENTS: 65, OTHER: 80}, ENDS)

    _, text = read(await bench.html("/"))

    assert text.count("Worker: none runs, for 5 minutes; 55 records wait Start one") == 2  # in the menu and the list
    assert text.count("Worker: none runs") == 2
    assert text.count("none runs, for 5 minutes") == 2 + len(names)
    page = await bench.html("/stores/acme")
    assert '<p class="notice bad"><span class="dot bad" aria-hidden="true"></span><span>Worker: none runs' in page
