"""Stand-in VTEX for bench.vtex: `python -m bench.peers.vtex_shops JSON`; says where it listens, then what changed."""

import asyncio
import json
import random
import sys
import time

import uvloop

from sandbox.vtex.budget import Budget
from sandbox.vtex.bulk import customer_id, fill
from sandbox.vtex.clock import SECOND
from sandbox.vtex.serve import serving
from sandbox.vtex.shop import Shop


async def main(options):
    """Serve shops of one size, changing customers at a steady rate over all of them, until killed."""
    rate = options.get("rate")
    shops = {
        f"shop{n}": Shop(f"shop{n}", budget=Budget(rate=rate, burst=20) if rate else None)
        for n in range(options["shops"])
    }
    ids = {}
    for name, shop in shops.items():
        # Nothing changed lately: what following reads in the meantime is not the backfill's.
        fill(shop, options["customers"], until=shop.clock() - 3 * 3600 * SECOND)
        if options.get("changes"):
            ids[name] = [customer_id(shop, number) for number in range(options["customers"])]
    async with serving(shops) as url:
        print(url, flush=True)
        dice = random.Random(7)
        while True:
            await asyncio.sleep(1 / options["changes"] if options.get("changes") else 3600)
            name = dice.choice(list(shops))
            customer = dice.choice(ids[name])
            shops[name].put_customer({"id": customer, "firstName": f"Ana {time.time()}"})
            print(name, customer, sum(shop.budget.refused for shop in shops.values()), flush=True)


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
