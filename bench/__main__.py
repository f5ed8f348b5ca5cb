"""`python -m bench`: every part beside its peers, on one embedded broker for both, in one run.

Writes bench/results/latest.json, a list of `{"job", "subject", "peer", "value", "peer_value", "unit", "ratio",
"better": "higher"|"lower", "runs"}`; a part that was not run keeps its earlier rows. Compare ratios: absolute figures
move with the machine.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from bench import collector, engine, pipeline, results, vtex
from connectors.kafka.embedded import EmbeddedKafka

Measure = Callable[[dict[str, Any], argparse.Namespace], Awaitable[list[dict[str, Any]]]]
PARTS: dict[str, Measure] = {
    "engine": engine.measure, "pipeline": pipeline.measure, "collector": collector.measure, "vtex": vtex.measure,
}  # fmt: skip


async def run(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run the parts asked for, one after the other: each on a broker of its own, which holds nothing of the others."""
    found = []
    for part in args.parts:
        print(f"== {part}", flush=True)
        if args.bootstrap:
            found += await PARTS[part]({"bootstrap_servers": args.bootstrap}, args)
            continue
        async with EmbeddedKafka(heap="1g", lasting=True) as kafka:
            found += await PARTS[part]({"bootstrap_servers": kafka.bootstrap_servers}, args)
    return found


def main() -> int:
    """Parse, run, write, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--bootstrap", help="a broker that runs; embedded ones by default")
    parser.add_argument("--runs", type=int, default=3, help="of each peer")
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--customers", type=int, default=1_000_000, help="of the backfill")
    parser.add_argument("--seconds", type=float, default=5, help="of load on a collector")
    parser.add_argument("--jobs", nargs="*", default=list(engine.JOBS), choices=list(engine.JOBS))
    parser.add_argument("--peers", nargs="+", default=list(engine.PEERS), choices=list(engine.PEERS))
    args = parser.parse_args()
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    rows = asyncio.run(run(args))
    results.keep(rows)
    for row in rows:
        results.tell(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
