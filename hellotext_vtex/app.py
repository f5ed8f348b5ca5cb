"""All commands together. Exit codes: 0 done, 1 failed, 2 wrong usage."""

import typer

from hellotext_vtex.commands import (
    campaigns,
    checks,
    connect,
    forget,
    kpis,
    letters,
    messages,
    processes,
    replay,
    stores,
    together,
    topics,
)
from hellotext_vtex.front_door import FrontDoor

app = typer.Typer(
    name="hellotext-vtex",
    cls=FrontDoor,
    help="Connect VTEX shops to Hellotext and Infobip: customers, tracking, campaign KPIs; exactly once, on Kafka.\n\n"
    "First steps: `hellotext-vtex demo` to see everything, `up` to run everything, `connect` to connect a store.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # a local may hold a secret or a personal value
    rich_markup_mode="markdown",
)
for group in (together, processes, connect, stores, campaigns, messages, kpis, topics, letters, forget, replay, checks):
    group.register(app)
