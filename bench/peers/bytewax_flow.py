"""Bytewax as its documentation shows it: keyed state, snapshots in a local recovery store, at least once."""

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSource
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

bootstrap, prefix, job, expected = sys.argv[1:5]
seen = {"events": 0}


class Done(Exception):  # noqa: N818  how a flow that never ends is ended
    """All events were seen."""


def tell():
    """Tell the beginning; end the flow at the end."""
    if not seen["events"]:
        print(f"START {time.time()}", flush=True)
    seen["events"] += 1


def ended():
    """Say whether all were seen."""
    if seen["events"] >= int(expected):
        print(f"END {time.time()}", flush=True)
        raise Done


def count(state, value):
    """Count by key: state is kept per message key."""
    del value
    tell()
    state = (state or 0) + 1
    ended()
    return state, state


def is_new(state, value):
    """Keep the ids of a key."""
    tell()
    state = state or set()
    event = value[:12]
    new = event not in state
    state.add(event)
    ended()
    return state, value if new else None


flow = Dataflow("bench")
source = KafkaSource([bootstrap], [f"{prefix}pixel.events"], tail=True, batch_size=1000)
records = op.map("keyed", op.input("source", flow, source), lambda record: (record.key.decode(), record.value))
if job == "a":
    counted = op.stateful_map("count", records, count)
    op.inspect("ignored", op.filter("nothing", counted, lambda _: False))
else:
    marked = op.stateful_map("new", records, is_new)
    fresh = op.filter("fresh", marked, lambda pair: pair[1] is not None)
    sent = op.map("message", fresh, lambda pair: KafkaSinkMessage(pair[0].encode(), pair[1]))
    kop.output("sink", sent, brokers=[bootstrap], topic=f"{prefix}bytewax-output")
folder = Path(tempfile.mkdtemp())
init_db_dir(folder, 1)
try:
    cli_main(flow, epoch_interval=timedelta(seconds=1), recovery_config=RecoveryConfig(str(folder)))
except BaseException as error:
    if seen["events"] < int(expected):
        raise SystemExit(repr(error)) from error
