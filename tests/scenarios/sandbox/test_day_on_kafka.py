"""The scripted day into the real collector and a real Kafka: everything that it tells stands in the topics, once."""

from collections import Counter, defaultdict

import pytest

from sandbox.settings import SandboxSettings
from tests.pixel_collector import connect, connected, read_topic, running, secret_box
from tests.unit.sandbox.test_day import play
from tests.unit.sandbox.test_day import running as sandboxed

pytestmark = pytest.mark.broker


async def test_the_whole_day_arrives(kafka, tmp_path):
    """Events, identifications, reports and hints: as many as were played, and the reports' figures are the ledger's."""
    box = secret_box()
    async with sandboxed(SandboxSettings(port=0, customers=10, accounts=("acme",))) as client:
        (account,) = (await client.get("/control/accounts")).json()
        await connect(kafka, connected(box, business=account["business"]))
        async with running(kafka, box, tmp_path / "spool") as collector:
            await collector.ready()
            progress = await play(client, collector.url)
        ledger = (await client.get("/control/ledger")).json()["stores"]["acme"]
    counts = progress["counts"]
    events = await read_topic(kafka, "pixel.events")
    given = Counter(event["data"].get("given_id") for event in events)
    reports = {event["id"]: event["data"] for event in await read_topic(kafka, "message.reports")}
    hints = await read_topic(kafka, "vtex.hints")

    assert progress["error"] is None
    # What a beacon repeats stands there again, under the same id: recognising it is the tracking agent's.
    kinds = ("events", "acknowledgements", "identifications", "machines", "duplicates")
    assert len(events) == sum(counts[name] for name in kinds)
    assert max(given[name] for name in given if name) > 1
    assert len(reports) == counts["reports"]
    assert {hint["resource"] for hint in hints} == {"customer", "order"}
    assert not await read_topic(kafka, "dead.letters")
    sent = defaultdict(set)
    for report in reports.values():
        sent[report.get("campaign")].add(report["message"])
    reported = [cell for cell in ledger["cells"] if cell["basis"] == "total" and cell["failed"] is not None]
    totals = {cell["campaign"]: cell["sent"] for cell in reported}
    assert {campaign: len(messages) for campaign, messages in sent.items() if campaign} == totals
