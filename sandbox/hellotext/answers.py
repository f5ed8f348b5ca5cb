"""Hellotext's answers (contracts/hellotext CONTRACT B6)."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


class Refusal(Exception):  # noqa: N818  an answer, not a failure of ours
    """A request is answered with this instead."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def reply(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(document), status, headers, "application/json")


def refused(status: int, kind: str, text: str, parameter: str | None = None) -> Refusal:
    """Return an error; Hellotext's own pages name the text both `message` and `description`, so both stand here."""
    entry = {"type": kind, "parameter": parameter, "message": text, "description": text}
    return Refusal(reply({"errors": [entry]}, status))


def nested(status: int, kind: str, text: str, parameter: str | None = None) -> Refusal:
    """Return an error as some routes write it: `error`, and nested (B6)."""
    return Refusal(reply({"error": {"errors": [{"type": kind, "parameter": parameter, "message": text}]}}, status))


def too_many(headers: dict[str, str]) -> Response:
    """Return 429: undocumented, so without a body that anybody could rely on."""
    return Response(b"", 429, headers)


RECEIVED = {"status": "received"}
