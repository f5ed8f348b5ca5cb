"""The files that pages load: `pixel.js` and the checkout script, built from `client/` (docs/collector.md)."""

import hashlib
from pathlib import Path
from typing import Final

from connectors.pixel.answers import Answer, other, refusal

_BUILT: Final = Path(__file__).parent / "client" / "dist"
_CACHE: Final = (b"cache-control", b"public, max-age=300")


class Scripts:
    """Reads the built scripts once."""

    def __init__(self, folder: Path = _BUILT) -> None:
        self._pixel = _script(folder / "pixel.js")
        self._checkout = _script(folder / "checkout.js")

    def pixel(self) -> Answer:
        """`GET /v1/pixel.js`."""
        return self._pixel

    def checkout(self) -> Answer:
        """`GET /v1/checkout.js`, for `checkout6-custom.js`."""
        return self._checkout


def _script(path: Path) -> Answer:
    if not path.exists():
        return refusal(
            404, "not_found", f"{path.name} is not built: run npm ci && npm run build in connectors/pixel/client."
        )
    body = path.read_bytes()
    tag = (b"etag", b'"' + hashlib.sha256(body).hexdigest()[:16].encode() + b'"')
    return other(200, body, "text/javascript; charset=utf-8", _CACHE, tag)
