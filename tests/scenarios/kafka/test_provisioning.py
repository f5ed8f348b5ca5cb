"""Topics stand as the catalogue wants them, however often one asks, and partitions are never changed silently."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from connectors.kafka.admin import Admin, open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerUnreachable, ProvisioningRefused
from connectors.kafka.ports import free_ports
from connectors.kafka.provisioning import Change, TopicSpec, describe, provision
from schemas.topics import STORES, TOPICS, VTEX_CHANGES

pytestmark = pytest.mark.broker
CHANGELOG = TopicSpec("streams.counts-changelog", {"cleanup.policy": "compact"})


async def test_every_topic_of_the_catalogue_and_nothing_twice(empty_kafka, monkeypatch):
    """The first run creates all with their settings, at one stroke; the second finds nothing to do."""
    names = sorted(empty_kafka.topic(topic.name) for topic in TOPICS)
    create, requests = AIOKafkaAdminClient.create_topics, []

    async def counted(self, wanted):
        requests.append(wanted)
        return await create(self, wanted)

    monkeypatch.setattr(AIOKafkaAdminClient, "create_topics", counted)

    first = await provision(empty_kafka, partitions=3)
    second = await provision(empty_kafka, partitions=3)

    assert list(first.created) == names
    assert (first.changed, first.unchanged) == ((), ())
    assert (second.created, second.changed, list(second.unchanged)) == ((), (), names)
    assert len(requests) == 1
    states = {state.name: state for state in await describe(empty_kafka)}
    assert sorted(states) == names
    for topic in TOPICS:
        state = states[empty_kafka.topic(topic.name)]
        assert (state.partitions, state.replication, dict(state.settings)) == (3, 1, topic.config())
        assert (state.first, state.end, state.size) == ((0, 0, 0), (0, 0, 0), 0)


async def test_two_at_once_are_as_good_as_one(empty_kafka):
    """Each topic is created by one of them, and neither fails."""
    reports = await asyncio.gather(*(provision(empty_kafka) for _ in range(3)))

    created = [name for report in reports for name in report.created]
    assert sorted(created) == sorted(empty_kafka.topic(topic.name) for topic in TOPICS)


async def test_settings_are_corrected_and_told(empty_kafka):
    """What the catalogue wants is set again; what somebody set beside it stays."""
    await provision(empty_kafka)
    name = empty_kafka.topic(VTEX_CHANGES.name)
    async with open_admin(empty_kafka) as admin:
        await admin.set_settings({name: {"cleanup.policy": "delete", "segment.ms": "60000"}})

    report = await provision(empty_kafka)

    wanted = VTEX_CHANGES.config()
    before = {"cleanup.policy": "delete"}
    assert sorted(report.changed, key=str) == sorted(
        (Change(name, setting, before.get(setting), value) for setting, value in wanted.items()), key=str
    )
    async with open_admin(empty_kafka) as admin:
        assert await admin.settings([name]) == {name: {**wanted, "segment.ms": "60000"}}


async def test_another_number_of_partitions_is_refused(empty_kafka):
    """The error names topics and counts and what to do; nothing was created or changed."""
    name = empty_kafka.topic(STORES.name)
    async with open_admin(empty_kafka) as admin:
        await admin.create({name: {}}, 2, 1)

        with pytest.raises(ProvisioningRefused) as caught:
            await provision(empty_kafka, partitions=4)

        assert f"4 partitions were asked for, but {name} has 2." in str(caught.value)
        assert "Ask for the number that stands" in str(caught.value)
        shapes = await admin.shapes()
        assert [topic for topic in shapes if topic.startswith(empty_kafka.topic_prefix)] == [name]
        assert await admin.settings([name]) == {name: {}}


async def test_changelogs_are_provisioned_and_described_too(empty_kafka):
    """Further topics stand beside the catalogue's; other people's topics are not ours to describe."""
    async with open_admin(empty_kafka) as admin:
        await admin.create({empty_kafka.topic("somebody-elses"): {}}, 1, 1)

    report = await provision(empty_kafka, extra=[CHANGELOG])

    name = empty_kafka.topic(CHANGELOG.name)
    assert name in report.created
    states = {state.name: state for state in await describe(empty_kafka)}
    assert dict(states[name].settings) == CHANGELOG.settings
    assert len(states) == len(TOPICS) + 1


async def test_a_setting_that_kafka_does_not_know_is_refused(empty_kafka):
    """The broker's own words stand in the error."""
    with pytest.raises(ProvisioningRefused, match=r"nonsense.*Unknown topic config name: no\.such"):
        await provision(empty_kafka, extra=[TopicSpec("nonsense", {"no.such": "1"})])


async def test_a_replication_that_cannot_be_is_refused(empty_kafka):
    """One broker keeps no three replicas."""
    with pytest.raises(ProvisioningRefused, match="does not create topic"):
        await provision(empty_kafka, replication=3)


async def test_no_broker_is_one_clear_error():
    """With the address, and what to correct."""
    (port,) = free_ports(1)

    with pytest.raises(BrokerUnreachable, match=rf"no broker answered at 127\.0\.0\.1:{port}: .*KAFKA_BOOTSTRAP"):
        await provision(KafkaConnection(f"127.0.0.1:{port}"))


async def test_a_topic_that_appears_meanwhile_is_not_taken_as_it_is(empty_kafka, monkeypatch):
    """Somebody creates it with another number of partitions between our look and our request: refused as well."""
    name = empty_kafka.topic(STORES.name)
    async with open_admin(empty_kafka) as admin:
        await admin.create({name: {}}, 2, 1)
    look, looks = Admin.shapes, iter([True])

    async def late_look(self, broker=None):
        return {} if next(looks, False) else await look(self, broker)

    monkeypatch.setattr(Admin, "shapes", late_look)

    with pytest.raises(ProvisioningRefused, match=rf"{name} has 2"):
        await provision(empty_kafka, partitions=4)
