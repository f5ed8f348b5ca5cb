"""Reading answers of addresses that may be anybody's: no more of them than was expected."""

import httpx


async def read_at_most(answer: httpx.Response, most: int) -> bytes:
    """Return the body of a streamed answer; of one that is larger, somewhat more than so many bytes."""
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > most:
            break
    return bytes(body)
