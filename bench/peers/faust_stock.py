"""Stock Faust, as its documentation shows it: one event at a time, a table, at least once."""

import os
import sys
import tempfile
import time

import faust

bootstrap, prefix, job, expected = sys.argv[1:5]
app = faust.App(
    f"{prefix}stock", broker=f"kafka://{bootstrap}", store="memory://", topic_partitions=4, web_enabled=False,
    topic_disable_leader=True, table_standby_replicas=0, worker_redirect_stdouts=False, datadir=tempfile.mkdtemp(),
)  # fmt: skip
source = app.topic(f"{prefix}pixel.events", key_type=bytes, value_type=bytes, value_serializer="raw", partitions=4)
output = app.topic(f"{prefix}stock-output", key_type=bytes, value_type=bytes, value_serializer="raw", partitions=4)
table = app.Table("state", partitions=4, key_type=bytes, value_type=None, default=int)
seen = {"events": 0}


@app.agent(source)
async def work(stream):
    """Count, or forward what is new."""
    async for event in stream.events():
        if not seen["events"]:
            print(f"START {time.time()}", file=sys.__stdout__, flush=True)
        if job == "a":
            table[event.key.decode()] += 1
        else:
            name = event.value[:12].decode()
            if name not in table:
                table[name] = 1
                await output.send(key=event.key, value=event.value)
        seen["events"] += 1
        if seen["events"] == int(expected):
            await app.producer.flush()
            await app.consumer.commit()
            print(f"END {time.time()}", file=sys.__stdout__, flush=True)
            os._exit(0)


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "-l", "error"]
    app.main()
