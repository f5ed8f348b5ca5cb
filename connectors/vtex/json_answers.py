"""What VTEX's answers say, also where a document holds what strict JSON does not allow. Pure.

Texts of people get into it as they were typed or cut: half a surrogate pair, bytes of another encoding, a number beyond
all floats. The answer is whole all the same, and one such document must not take the page away from all others.
"""

import json
import math
from typing import Any

import httpx
import orjson


def read_json(response: httpx.Response) -> Any:
    """Return the document of a whole answer.

    Raises:
        ValueError: it is cut short, or something else than JSON.
    """
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        text = response.text.removeprefix("\ufeff")
        try:
            document = json.loads(text, parse_float=_float, parse_constant=lambda _: None)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return orjson.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))


def _float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None
