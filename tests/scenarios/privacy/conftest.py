"""The house in which a person is forgotten, and which is counted anew."""

import pytest

from tests.pixel_collector import running
from tests.scenarios.privacy.house import House
from tests.scenarios.vtex.shops import KEY, SecretBox, polling


@pytest.fixture
async def house(kafka, tmp_path):
    """A store that is connected and read, its pages told, its worker running."""
    made = House(kafka, tmp_path)
    try:
        async with (
            made.outside(), polling(kafka), running(kafka, SecretBox(KEY), tmp_path / "state" / "spool") as collector
        ):  # fmt: skip
            await collector.ready()
            made.collector = collector.url
            made.start_worker()
            yield made
    finally:
        made.end()
