"""What the tests in browsers share."""

import pytest

from tests.pixel_collector import connect, connected, running, secret_box


@pytest.fixture
async def site(kafka, tmp_path):
    """A collector that knows one store, and the tag of `pixel.js` in its pages."""
    box = secret_box()
    store = connected(box)
    await connect(kafka, store)
    async with running(kafka, box, tmp_path / "spool") as collector:
        await collector.ready()
        yield collector.url, store
