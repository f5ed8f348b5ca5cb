"""Quix Streams as its documentation shows it: state in RocksDB with a changelog, at least once."""

import sys
import tempfile
import time

from quixstreams import Application

bootstrap, prefix, job, expected = sys.argv[1:5]
app = Application(
    broker_address=bootstrap, consumer_group=f"{prefix}quix", auto_offset_reset="earliest", loglevel="ERROR",
    state_dir=tempfile.mkdtemp(), auto_create_topics=True,
)  # fmt: skip
source = app.topic(f"{prefix}pixel.events", key_deserializer="bytes", value_deserializer="bytes")
output = app.topic(f"{prefix}quix-output", key_serializer="bytes", value_serializer="bytes")
seen = {"events": 0}


def tell():
    """Tell the beginning and the end."""
    if not seen["events"]:
        print(f"START {time.time()}", flush=True)
    seen["events"] += 1
    if seen["events"] == int(expected):
        seen["end"] = time.time()
        app.stop()


def count(value, state):
    """Count by key: state is kept per message key."""
    tell()
    state.set("n", state.get("n", 0) + 1)
    return value


def is_new(value, state):
    """Keep the ids of a key."""
    tell()
    event = value[:12].decode()
    if state.exists(event):
        return False
    state.set(event, 1)
    return True


frame = app.dataframe(source)
if job == "a":
    frame.apply(count, stateful=True)
else:
    frame.filter(is_new, stateful=True).to_topic(output)
app.run()
print(f"END {time.time()}", flush=True)
