"""Peer: a raw ASGI app that only parses and produces; `python -m bench.peers.bare_asgi BOOTSTRAP TOPIC PARTITION`.

What the collector does besides (stores, contract, privacy, spool, limits) costs the difference.
"""

import socket
import sys
import time
from typing import Any

import orjson
import uvicorn
import uvloop
from aiokafka import AIOKafkaProducer

from schemas.events import encode, event

ANSWER = b'{"status":"received"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"21"), (b"access-control-allow-origin", b"*")]


async def main(bootstrap: str, topic: str, partition: int) -> None:
    """Serve for ever; prints the address bound."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()

    async def app(_scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        told = orjson.loads(body)
        now = time.time_ns() // 1_000_000
        value = event(type="pixel.event", source="collector", store="acme", data=told, time=now, received=now)
        done = await producer.send(topic, encode(value), key=f"acme/{told['session']}".encode(), partition=partition)
        await done
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": ANSWER})

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
        date_header=False, proxy_headers=False,
    )  # fmt: skip
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
