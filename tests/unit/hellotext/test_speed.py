"""What every call to a vendor would pay for."""

import inspect
import sys

from httpcore import _synchronization


async def test_the_http_client_finds_sniffio():
    """It imports it with every lock; one that fails is repeated each time. Should that end: drop it."""
    assert "import sniffio" in inspect.getsource(_synchronization.current_async_library)

    _synchronization.AsyncLock().setup()

    assert "sniffio" in sys.modules
