"""A broker behind TLS and SASL: every process of ours goes through, exactly once; what is wrong is said."""

import asyncio
import json
import os
import subprocess
import sys

import certifi
import pytest

from connectors.kafka.provisioning import provision
from tests.crash.engine.running import committed, put, running
from tests.scenarios.kafka.secured import PASSWORD, USER, SecuredKafka
from tests.waiting import until

pytestmark = pytest.mark.broker
PARTITIONS = 4


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """One secured broker for the module; it is processes, and belongs to no loop."""
    kafka = SecuredKafka(tmp_path_factory.mktemp("secured"))

    async def start():
        await kafka.start()
        await provision(kafka.secured("secured-"), partitions=PARTITIONS, replication=1)

    asyncio.run(start())
    yield kafka
    asyncio.run(kafka.stop())


async def ran(broker, folder, *arguments, **environment):
    """Run a command with the settings that an operator would give."""
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": broker.address, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": USER, "KAFKA_SASL_PASSWORD": PASSWORD, "KAFKA_SSL_CAFILE": str(broker.authority),
        "TOPIC_PREFIX": "secured-", "STATE_FOLDER": str(folder), **environment,
    }  # fmt: skip
    command = [sys.executable, "-m", "hellotext_vtex.cli", *arguments]
    return await asyncio.to_thread(
        subprocess.run, command, env=os.environ | settings, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.timeout(120)
async def test_a_worker_commits_its_transactions_through_it(broker, tmp_path):
    """Consumer, transactional producers and recovery log in and are encrypted; restarted, it counts on."""
    kafka = broker.secured("secured-")
    for turn in (1, 2):
        async with running(kafka, tmp_path):
            await put(kafka, *(f"{turn}-{n}".encode() for n in range(50)))

            async def through(turn=turn):
                return len(await committed(kafka, "tracking.events")) == 50 * turn

            await until("all are through", through)
    values = [record.value for record in await committed(kafka, "tracking.events")]
    assert sorted(values) == sorted(f"{turn}-{n}".encode() for turn in (1, 2) for n in range(50))
    last = (await committed(kafka, "streams.worker.counts-changelog"))[-1]
    assert json.loads(last.value) == 100


@pytest.mark.timeout(120)
async def test_commands_take_it_from_the_settings(broker, tmp_path):
    """The same five variables serve every command."""
    listed = await ran(broker, tmp_path, "topics", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "kpi.campaigns" in listed.stdout


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"KAFKA_SASL_PASSWORD": "no"}, "refuses the login"),
        ({"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}, "does not know the mechanism SCRAM-SHA-512"),
        ({"KAFKA_SSL_CAFILE": certifi.where()}, "certificate is not trusted"),
        ({"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}, "hangs up: its port wants something else"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "hangs up: its port wants something else"),
    ],
    ids=["password", "mechanism", "authority", "nothing", "no TLS"],
)
async def test_what_is_wrong_is_said(broker, tmp_path, wrong, words):
    """What the broker has against us is named, without the password."""
    refused = await ran(broker, tmp_path, "topics", "list", **wrong)
    assert refused.returncode == 1
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr
    assert PASSWORD not in refused.stdout + refused.stderr
