# ruff: noqa: PLC0415  each process loads only what it runs: a worker that was killed is back a second earlier
"""The processes, each in the foreground until SIGTERM: broker, poller, collector, worker, console, sandbox."""

import asyncio
import contextlib
import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from hellotext_vtex.foreground import Stop, print_line, serve, tell_ready
from hellotext_vtex.started import connected, started

Json = Annotated[bool, typer.Option("--json", help="Print the line that says it is ready as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (broker, poller, collector, worker, console, sandbox):
        app.command(rich_help_panel="Processes")(command)


def broker(
    data: Annotated[Path | None, typer.Option(help="Folder that keeps the data; a temporary one by default.")] = None,
    port: Annotated[
        int, typer.Option(help="Port for clients; 0 takes a free one.", min=0, max=65535, show_default=False)
    ] = 0,
    heap: Annotated[str, typer.Option(help="Size of the JVM's heap.")] = "384m",
    json: Json = False,
) -> None:
    """Run the embedded Apache Kafka, and print where it listens.

    Example: hellotext-vtex broker --data .state/kafka --port 9092
    """
    from connectors.kafka.embedded import EmbeddedKafka
    from hellotext_vtex.running import Running

    settings = started()

    async def main(stop: Stop) -> None:
        async with EmbeddedKafka(data, port or None, heap, java_home=settings.java_home, progress=_tell) as kafka:
            stop.heed()
            servers = kafka.bootstrap_servers
            running = Running(servers, settings.topic_prefix, str(settings.state_folder), os.getpid())
            running.announce()
            if json:
                print_line({"bootstrap_servers": servers})
            else:
                print(f"Apache Kafka {kafka.version} listens at {servers}", flush=True)
            asked, dead = asyncio.create_task(stop.wait()), asyncio.create_task(kafka.wait_dead())
            try:
                await asyncio.wait({asked, dead}, return_when=asyncio.FIRST_COMPLETED)
                if dead.done():
                    raise dead.result()
            finally:
                asked.cancel()
                dead.cancel()
                running.withdraw()

    serve(main)


def poller(json: Json = False) -> None:
    """Read customers and orders of every connected store from VTEX into Kafka.

    Example: KAFKA_BOOTSTRAP_SERVERS=broker:9092 hellotext-vtex poller
    """
    from connectors.vtex.serve import run_poller
    from hellotext_vtex.instance import named
    from hellotext_vtex.keys import open_box, require_key
    from hellotext_vtex.provisioned import ensure_topics

    settings = connected()

    async def main(stop: Stop) -> None:
        connection = await ensure_topics(settings)
        name = named("poller", settings.poller_instance, settings.state_folder)
        ready = partial(tell_ready, "poller", as_json=json, instance=name)
        box = open_box(settings)
        await require_key(connection, box)
        stop.heed()
        await run_poller(connection, box, settings.poller(name), ready=ready, stop=stop)

    serve(main)


def collector(json: Json = False) -> None:
    """Take what pages, back ends and vendors send, over HTTP into Kafka.

    Several may run on one COLLECTOR_PORT. Example: COLLECTOR_PORT=8080 hellotext-vtex collector
    """
    from connectors.pixel.serve import run_collector
    from hellotext_vtex.keys import open_box
    from hellotext_vtex.provisioned import keep_trying

    settings = connected()

    async def main(stop: Stop) -> None:
        stop.heed()
        topics = asyncio.create_task(keep_trying(settings))
        try:
            await run_collector(
                settings.connection(), open_box(settings), settings.collector(),
                ready=lambda url: tell_ready("collector", as_json=json, url=url), stop=stop,
            )  # fmt: skip
        finally:
            topics.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await topics

    serve(main)


def worker(json: Json = False) -> None:
    """Run the stream agents: deduplicate, upsert profiles, attribute orders, count KPIs, exactly once.

    Example: WORKER_INSTANCE=worker-1 WORKER_WEB_PORT=6066 hellotext-vtex worker
    """
    from hellotext_vtex.instance import named
    from hellotext_vtex.keys import open_box, require_key
    from hellotext_vtex.provisioned import ensure_topics, require_web_port
    from streams.pipeline import run_worker

    settings = connected()

    async def main(stop: Stop) -> int:
        require_web_port(settings.worker_web_host, settings.worker_web_port)
        connection = await ensure_topics(settings)
        name = named("worker", settings.worker_instance, settings.state_folder)
        ready = partial(tell_ready, "worker", as_json=json, instance=name)
        box = open_box(settings)
        await require_key(connection, box)
        stop.heed()
        return await run_worker(connection, box, settings.worker(name), ready=ready, stop=stop)

    serve(main)


def console(json: Json = False) -> None:
    """Serve the pages for people: connection wizard, campaign dashboard, live view.

    Example: CONSOLE_PORT=8090 hellotext-vtex console
    """
    from connectors.console.serve import run_console
    from hellotext_vtex.keys import open_box
    from hellotext_vtex.provisioned import ensure_topics

    settings = connected()

    async def main(stop: Stop) -> None:
        connection = await ensure_topics(settings)
        stop.heed()
        await run_console(
            connection, open_box(settings), settings.console(),
            ready=lambda url: tell_ready("console", as_json=json, url=url), stop=stop,
        )  # fmt: skip

    serve(main)


def sandbox(
    json: Json = False,
    host: Annotated[str | None, typer.Option(help="Address to listen on (SANDBOX_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one (SANDBOX_PORT).")] = None,
) -> None:
    """Run the stand-in VTEX, Hellotext, Infobip and storefront, to try everything without any account.

    Example: hellotext-vtex sandbox --port 8070
    """
    from sandbox.serve import run_sandbox
    from sandbox.settings import SandboxSettings

    settings = started(sandbox_host=host, sandbox_port=port)

    async def main(stop: Stop) -> None:
        stop.heed()
        chosen = SandboxSettings(
            host=settings.sandbox_host, port=settings.sandbox_port, collector=settings.public_collector_url
        )
        await run_sandbox(chosen, ready=lambda url: tell_ready("sandbox", as_json=json, url=url), stop=stop)

    serve(main)


def _tell(line: str) -> None:
    typer.echo(line, err=True)
