"""VTEX ID: does a key open its account, and whose is a token? (NOTES 1: tells "wrong key" from "role missing")."""

import uuid

from starlette.responses import Response

from sandbox.vtex import answers
from sandbox.vtex.visit import Visit


async def log_in(visit: Visit) -> Response:
    """Change key and token for a login token; needs no headers and no permission."""
    body = await visit.json()
    body = body if isinstance(body, dict) else {}
    key = visit.shop.keyring.open(str(body.get("appkey", "")), str(body.get("apptoken", "")))
    if key is None:
        return answers.reply({"authStatus": "WrongCredentials"}, 401)
    token, expires = visit.shop.keyring.log_in(key)
    return answers.reply({"authStatus": "Success", "token": token, "expires": expires})


async def validate(visit: Visit) -> Response:
    """Tell whose a login token is."""
    body = await visit.json()
    key = visit.shop.keyring.holder(str(body.get("token", ""))) if isinstance(body, dict) else None
    if key is None:
        return answers.reply({"authStatus": "WrongCredentials"}, 401)
    return answers.reply({
        "authStatus": "Success", "id": str(uuid.uuid5(uuid.NAMESPACE_URL, key.app_key)), "user": key.app_key,
        "account": visit.shop.account, "audience": "admin", "tokenType": "appkey",
    })  # fmt: skip
