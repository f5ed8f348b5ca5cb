"""`topics`: how they stand on the broker, creating them, and a plain look into one."""

import json as encoder
from base64 import b64encode
from typing import Annotated, Any

import typer
from rich.table import Table

from connectors.kafka.provisioning import Provisioned, TopicState, describe, provision
from connectors.kafka.reader import follow, read_topic
from connectors.kafka.readiness import wait_until_ready
from hellotext_vtex.foreground import execute, fail, print_json, print_line
from hellotext_vtex.known_stores import expect_store
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import terminal
from schemas.topics import BY_NAME, TOPICS

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Topics on the broker.", no_args_is_help=True)
    for command, name in ((list_topics, "list"), (create, "create"), (read, "read")):
        group.command(name)(command)
    app.add_typer(group, name="topics", rich_help_panel="Operations")


def list_topics(json: Json = False) -> None:
    """Show how our topics stand: partitions, replicas, records kept, settings.

    Example: hellotext-vtex topics list
    """
    settings = connected(quiet=True)
    states = execute(lambda: describe(settings.connection()))
    missing = sorted({settings.connection().topic(topic.name) for topic in TOPICS} - {state.name for state in states})
    if json:
        print_json({"topics": [_row(state) for state in states], "missing": missing})
        return
    table = Table("topic", "partitions", "replicas", "offsets kept", "settings")
    for state in states:
        shown = ", ".join(f"{name}={value}" for name, value in sorted(state.settings.items()))
        table.add_row(state.name, str(state.partitions), str(state.replication), f"{state.size:,}", shown)
    terminal().print(table)
    if missing:
        print(f"missing: {', '.join(missing)} (hellotext-vtex topics create)")


def _row(state: TopicState) -> dict[str, Any]:
    return {
        "name": state.name, "partitions": state.partitions, "replication": state.replication,
        "settings": dict(state.settings), "first": state.first, "end": state.end,
    }  # fmt: skip


def create(
    partitions: Annotated[int | None, typer.Option(help="Of every topic, chosen once (PARTITIONS).", min=1)] = None,
    replication: Annotated[int | None, typer.Option(help="Replicas (REPLICATION).", min=1)] = None,
    json: Json = False,
) -> None:
    """Create what is missing and correct settings; safe to repeat. A number of partitions is never changed.

    Example: hellotext-vtex topics create --partitions 12 --replication 3
    """
    settings = connected(quiet=True, partitions=partitions, replication=replication)
    done = execute(lambda: _create(settings))
    if json:
        print_json({
            "partitions": done.partitions, "created": done.created,
            "changed": [f"{one.topic}: {one.setting}={one.after}" for one in done.changed], "unchanged": done.unchanged,
        })  # fmt: skip
        return
    print(f"created {len(done.created)}, changed {len(done.changed)}, unchanged {len(done.unchanged)} "
          f"({done.partitions} partitions each)")  # fmt: skip


async def _create(settings: Settings) -> Provisioned:
    connection = settings.connection()
    await wait_until_ready(connection, seconds=60)
    return await provision(connection, settings.partitions, settings.replication)


def read(
    topic: Annotated[str, typer.Argument(help="A topic of the catalogue, without prefix.", show_default=False)],
    store: Annotated[str | None, typer.Option(help="Of this store only.")] = None,
    follow_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Have errors as JSON too: records always are.")] = False,  # noqa: ARG001
) -> None:
    """Print a topic's committed records, one JSON object a line: partition, offset, timestamp, key, value.

    Example: hellotext-vtex topics read kpi.campaigns --store acme | jq .value
    """
    if topic not in BY_NAME:
        fail(f"there is no topic {topic!r}; there are {', '.join(sorted(BY_NAME))}", 2)
    settings = connected(quiet=True)
    execute(lambda: _print(settings, topic, store, follow_on=follow_on))


async def _print(settings: Settings, topic: str, store: str | None, *, follow_on: bool) -> None:
    connection = settings.connection()
    found = False
    batches = follow(connection, topic) if follow_on else read_topic(connection, topic)
    async for batch in batches:
        for record in batch.records:
            key = (record.key or b"").decode("utf-8", "replace")
            if store is None or key.partition("/")[0] == store:
                found = True
                print_line({
                    "partition": batch.partition, "offset": record.offset, "timestamp": record.timestamp, "key": key,
                    "value": _value(record.value),
                })  # fmt: skip
    await expect_store(connection, store, found=found)


def _value(raw: bytes | None) -> Any:
    if raw is None:
        return None
    try:
        return encoder.loads(raw)
    except ValueError:
        return {"base64": b64encode(raw).decode()}
