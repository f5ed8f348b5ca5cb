"""VTEX's answers: each service has error bodies of its own (NOTES 1)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.responses import Response

JSON: Final = "application/json; charset=utf-8"


class Refusal(Exception):  # noqa: N818  an answer, not a failure of ours
    """A request is answered with this instead."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def reply(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(document), status, headers, JSON)


def empty(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer without a body."""
    return Response(b"", status, headers)


def master_data(status: int, message: str) -> Refusal:
    """Return an error of Master Data: `{"Message": ...}`."""
    return Refusal(reply({"Message": message}, status))


def orders(status: int, message: str, code: str = "1") -> Refusal:
    """Return an error of the order system: `{"error": {"code", "message", "exception"}}`."""
    return Refusal(reply({"error": {"code": code, "message": message, "exception": None}}, status))


def too_many(seconds: int | None) -> Refusal:
    """Return 429, with `Retry-After` when the seconds are given."""
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return Refusal(Response(b"Too Many Requests", 429, headers, "text/plain"))
