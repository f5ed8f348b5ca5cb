"""The console's own style sheet, script and icon: read once, addressed by their contents, cached for ever."""

import hashlib
from importlib import resources
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Static:
    """Files of the folder `static`."""

    def __init__(self) -> None:
        folder = resources.files("connectors.console") / "static"
        self._files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        self._marks = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in self._files.items()}

    def url(self, name: str) -> str:
        """Return a file's address; it changes with the contents."""
        return f"/static/{name}?{self._marks[name]}"

    async def answer(self, request: Request) -> Response:
        """`GET /static/{name}`."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404, "No such file.")
        current = request.url.query == self._marks[name]
        cache = "public, max-age=31536000, immutable" if current else "no-cache"
        kind = _TYPES[name.rpartition(".")[2]]
        return Response(self._files[name], media_type=kind, headers={"Cache-Control": cache})
