# ruff: noqa: E501  a table reads best with one row to a line
"""Every internal of Faust and aiokafka that the engine touches, and what it relies on.

The versions are pinned in pyproject.toml. A test compares the source of each with the fingerprint below; when a new
release changes one, read the change, look at the module named here, run `make chaos`, and renew the fingerprint.
"""

import hashlib
import importlib
import inspect
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Internal:
    """Something that was not promised.

    Attributes:
        path: `module:qualified.name`.
        used_by: our module.
        relied_on: what must stay true.
        fingerprint: of the source as it was read; the first 12 digits of its SHA-256.
    """

    path: str
    used_by: str
    relied_on: str
    fingerprint: str


def source_of(path: str) -> str:
    """Return the source of `module:qualified.name`."""
    module, _, name = path.partition(":")
    found: Any = reduce(getattr, name.split("."), importlib.import_module(module))
    found = getattr(found, "fun", found)  # what @Service.task has wrapped
    source: Any = found.fget if isinstance(found, property) else found
    return inspect.getsource(source)


def fingerprint_of(path: str) -> str:
    """Return the fingerprint of the source as installed."""
    return hashlib.sha256(source_of(path).encode()).hexdigest()[:12]


_APP = "faust.app.base:App"
_CONSUMER = "faust.transport.consumer:Consumer"
_THREAD = "faust.transport.drivers.aiokafka:AIOKafkaConsumerThread"
_RECOVERY = "faust.tables.recovery:Recovery"
_FETCHER = "aiokafka.consumer.fetcher:Fetcher"
_PARTITION = "aiokafka.consumer.subscription_state:TopicPartitionState"

INTERNALS: Final = (
    Internal(f"{_APP}._on_partitions_revoked", "app", "is awaited before partitions go; stops the flow", "d5c895bbe57d"),
    Internal(f"{_APP}._on_partitions_assigned", "app", "is awaited before tables recover", "de932b7927db"),
    Internal(f"{_APP}._new_transport", "app", "makes the transport, once", "42db531312dd"),
    Internal(f"{_APP}._stop_consumer", "app", "waits for streams, then stops the tables", "55854a5de12c"),
    Internal(f"{_CONSUMER}._drain_messages", "consumer", "awaits getmany() again and again, and the callback", "44a2500309e8"),
    Internal(f"{_CONSUMER}.getmany", "consumer", "replaced: yields (TP, message)", "4b168d84882a"),
    Internal(f"{_CONSUMER}.perform_seek", "consumer", "replaced: called once after each recovery, before resuming", "0e8c130ff4b0"),
    Internal(f"{_CONSUMER}.commit", "consumer", "replaced by nothing", "a354437baaa0"),
    Internal(f"{_CONSUMER}._get_active_partitions", "consumer", "`_active_partitions` is what is not paused", "b24897f3c7af"),
    Internal("faust.transport.drivers.aiokafka:Consumer._new_consumer_thread", "consumer", "makes the thread", "0870ec53dea7"),
    Internal("faust.transport.drivers.aiokafka:Producer._new_producer", "consumer", "makes Faust's producer", "e72355c3430e"),
    Internal(f"{_THREAD}._create_worker_consumer", "fetch", "replaced: makes the aiokafka consumer", "c2701bfc3e6f"),
    Internal(f"{_THREAD}.close", "fetch", "replaced: called when a rebalance comes while the app stops", "d22efc59a1df"),
    Internal("mode.threads:ServiceThread.__init__", "fetch", "notes whether to close the thread's loop", "82979878990c"),
    Internal("mode.threads:ServiceThread._start_thread", "fetch", "closes it at the end", "a06373478446"),
    Internal("faust.assignor.partition_assignor:PartitionAssignor._get_copartitioned_groups", "assignor", "replaced: topics by number of partitions", "82b7a3764ad5"),
    Internal("faust.assignor.partition_assignor:PartitionAssignor._perform_assignment", "assignor", "assigns one group of topics together, changelogs too", "1e0bf2c5c8f4"),
    Internal("faust.tables.manager:TableManager.on_start", "tables", "replaced: the same without a second's sleep", "365dd25fbc0e"),
    Internal("faust.tables.manager:TableManager._update_channels", "tables", "registers changelogs", "88e3941facc9"),
    Internal("faust.tables.base:Collection.on_start", "tables", "replaced: no store, no topic declared", "daddcc354ad0"),
    Internal("faust.tables.base:Collection.persisted_offset", "tables", "where recovery begins", "d473d3ab3fd6"),
    Internal("faust.tables.base:Collection._changelog_topic_name", "tables", "names the changelog", "f341fe97037b"),
    Internal(f"{_RECOVERY}._wait", "recovery", "wrapped: stands before each step; given coroutines", "ec7429b70176"),
    Internal(f"{_RECOVERY}.on_rebalance", "recovery", "wrapped: has the recovery begin anew", "aa4d997a1795"),
    Internal(f"{_RECOVERY}._restart_recovery", "recovery", "waits on signal_recovery_end.wait()", "6bd8a8558a2d"),
    Internal(f"{_RECOVERY}.on_recovery_completed", "recovery", "resumes partitions BEFORE perform_seek, and the flow control AFTER it", "6ef567acf072"),
    Internal(f"{_RECOVERY}._seek_offsets", "recovery", "seeks each changelog to its persisted offset", "19598ca63d94"),
    Internal(f"{_RECOVERY}._build_highwaters", "recovery", "end offset - 1, of read-committed end offsets", "91b4cc0d3724"),
    Internal(f"{_RECOVERY}.need_recovery", "recovery", "highwater - active_offsets > 0 for any partition", "fd1dc345b5d5"),
    Internal(f"{_FETCHER}._fetch_requests_routine", "fetch", "one fetch per broker; `_in_flight`", "2a8ec5932644"),
    Internal(f"{_FETCHER}._get_actions_per_node", "fetch", "skips brokers in `_in_flight`", "1dab2cf937d1"),
    Internal(f"{_FETCHER}._proc_fetch_request", "fetch", "wrapped: one fetch", "59bf948fff47"),
    Internal(f"{_FETCHER}._update_fetch_positions", "fetch", "wrapped: one reset", "d7774d8241dc"),
    Internal(f"{_FETCHER}.fetched_records", "fetch", "replaced: wakes the routine when a result is used up", "be4348896b9b"),
    Internal(f"{_FETCHER}._create_fetch_waiter", "fetch", "is resolved when a fetch has brought something", "61d840568746"),
    Internal("aiokafka.consumer.fetcher:FetchResult.getall", "unpack", "replaced: moves the position, also without records", "3e717e30de50"),
    Internal("aiokafka.consumer.fetcher:FetchResult.check_assignment", "unpack", "whether the records are still wanted", "b5340df67e3f"),
    Internal("aiokafka.consumer.fetcher:PartitionRecords._unpack_records", "unpack", "asks `_records` for batches, iterates each, calls `_consumer_record`", "b803e6d46480"),
    Internal("aiokafka.consumer.fetcher:PartitionRecords._contains_abort_marker", "unpack", "takes a control batch's marker with `next`", "17e9ad2322ef"),
    Internal("aiokafka.consumer.fetcher:PartitionRecords.__next__", "unpack", "is passed by: `_records_iterator`", "63ac34a08c30"),
    Internal(f"{_PARTITION}.pause", "fetch", "leaves the partition out of the next fetch", "6c91801ebcc2"),
    Internal(f"{_PARTITION}.resume", "fetch", "wakes the routine", "8aecb5a6164f"),
    Internal("aiokafka.consumer.group_coordinator:GroupCoordinator._send_req", "tenure", "wrapped: sends each heartbeat, and what brings an assignment", "fa4b12e914ce"),
    Internal("aiokafka.consumer.group_coordinator:GroupCoordinator.fetch_committed_offsets", "fetch", "tries again until it has an answer; leaves out what was never committed", "6c049c737916"),
    Internal("aiokafka.consumer.group_coordinator:GroupCoordinator._do_fetch_commit_offsets", "tenure", "overlooks the error of a whole answer; sends by `_send_req`", "b0f359813271"),
    Internal("aiokafka.producer.message_accumulator:BatchBuilder.append", "producer", "is passed by: `_builder`, `_relative_offset`", "657d76f55157"),
    Internal("aiokafka.producer.sender:Sender._do_txn_commit", "producer", "flushes, but ignores what failed", "8263eaebb7c3"),
    Internal("aiokafka.errors:for_code", "twins", "looks codes up in `kafka_errors`", "26ee93889946"),
    Internal("aiokafka.producer.sender:AddPartitionsToTxnHandler.handle_response", "worker", "BACKOFF_OVERRIDE", "67266db24da2"),
)  # fmt: skip
