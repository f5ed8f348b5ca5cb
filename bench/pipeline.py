"""Job (c): the project's real pipeline on one worker, from pixel event to KPI cell, exactly once.

Every agent of the product runs, in one worker process, on records as the collector writes them. The mix of a shop's
events: 79 % page.viewed, 12 % product.viewed, 5 % cart.added, 2 % acknowledgements of visits from a campaign, 1 %
identifications, 1 % order.placed; 5 % of all events twice; 23 stores, five events a session. Events are not forwarded
to Hellotext (`forward` off): that would measure Hellotext's rate limit.
"""

import asyncio
import random
import statistics
import sys
import time
import uuid
from argparse import Namespace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from bench.load import PARTITIONS, STORES, TWICE_EVERY, create, fresh_prefix
from bench.processes import marks
from bench.results import row
from connectors.pixel.records import Record, Sender, seal
from connectors.pixel.wire import read_acknowledgement, read_event, read_identification
from schemas.partition import shard_of
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[1]
ASKED = 25_000
SECRET = b"bench"
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
MARKS = ("START", "END", "CPU", "CELLS")


def records(events: int) -> list[Record]:
    """Return records as the collector writes them; the same mix each time."""
    chance = random.Random(7)
    now = time.time_ns() // 1_000_000
    found = []
    for number in range(events):
        store = STORES[number % len(STORES)]
        session = str(uuid.UUID(int=chance.getrandbits(128) if number < len(STORES) else number // (5 * len(STORES))))
        sender = Sender(store, SECRET, "BR", "none", now, "203.0.113.0/24", BROWSER)
        sealed = seal(_told(number, session, chance.random()), sender)
        found.append(sealed.event)
        if number % TWICE_EVERY == 0:
            found.append(sealed.event)
    return found


def _told(number: int, session: str, share: float) -> Any:
    page = {"url": f"https://shop.example/p/{number % 997}", "title": "T", "path": f"/p/{number % 997}"}
    utm = {"source": "hellotext", "medium": "sms", "campaign": f"C{number % 40}"}
    body: dict[str, Any] = {"session": session, "page": page, "utm_params": {}, "user_parameters": {}}
    if share < 0.79:
        return read_event({**body, "action": "page.viewed"}, None)
    if share < 0.91:
        return read_event({**body, "action": "product.viewed", "object": f"P{number % 997}"}, None)
    if share < 0.96:
        cart = {"amount": 10.5, "currency": "BRL", "object_parameters": {"items": [{"product": f"P{number}"}]}}
        return read_event({**body, "action": "cart.added", **cart}, None)
    if share < 0.98:
        return read_acknowledgement({"session": session, "utm_params": utm, "at": "2026-11-26T00:00:00.000Z"}, None)
    if share < 0.99:
        who = {"user_id": f"u{number % 50_000}", "email": f"u{number % 50_000}@example.com"}
        return read_identification({"session": session, **who}, None)
    order = {"object_parameters": {"reference": f"{1_000_000 + number}"}, "amount": 89.9, "currency": "BRL"}
    return read_event({**body, "action": "order.placed", **order}, None)


async def measure(options: dict[str, Any], args: Namespace) -> list[dict[str, Any]]:
    """Return the rows of job (c): by the clock, and by the CPU, which other work on the machine moves less."""
    prepared = await asyncio.to_thread(records, min(args.events, 200_000))
    await _rates(options, prepared)  # not counted: the broker's second compiler is at work
    rates = [await _rates(options, prepared) for _ in range(args.runs)]
    return [
        _row("(c) pixel event to KPI cell, every agent", "events/s", [rate for rate, _ in rates]),
        _row("(c) likewise, for each second of the worker's CPU", "events/CPU s", [rate for _, rate in rates]),
    ]


def _row(job: str, unit: str, rates: list[float]) -> dict[str, Any]:
    return row(job, statistics.median(rates), ASKED, unit, subject="engine", better="higher", runs=len(rates))


async def _rates(options: dict[str, Any], prepared: list[Record]) -> tuple[float, float]:
    prefix = fresh_prefix()
    await create(options, *(prefix + topic.name for topic in TOPICS))
    producer = AIOKafkaProducer(**options, linger_ms=10, max_batch_size=1 << 18)
    await producer.start()
    for record in prepared:
        shard = shard_of(record.key.partition(b"/")[0].decode(), PARTITIONS)
        await producer.send(prefix + record.topic, record.value, key=record.key, partition=shard)
    await producer.stop()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.peers.pipeline_worker", options["bootstrap_servers"], prefix, str(len(prepared)),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    told, _ = await asyncio.wait_for(process.communicate(), timeout=240)
    found = marks(told, MARKS)
    rate, by_cpu = len(prepared) / (found["END"] - found["START"]), len(prepared) / found["CPU"]
    print(f"pipeline: {rate:,.0f} events/s, {by_cpu:,.0f} a CPU second, {found['CELLS']:.0f} cells", flush=True)
    return rate, by_cpu
