"""Reading a form that a page sent: URL-encoded, of bounded size, each field once."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

LIMIT: Final = 64 * 1024
FIELDS: Final = 100


async def read_form(request: Request) -> dict[str, str]:
    """Return a form's fields; of a repeated one the last.

    Raises:
        HTTPException: 413 when it is too large, 400 when it is no form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT:
            raise HTTPException(413, "The form is too large.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="strict"))
    except ValueError as error:
        raise HTTPException(400, "That is not a form of this console.") from error
