"""`dead-letters`: what could not be processed; look at it, and send it again."""

import json as encoder
from base64 import b64decode
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from connectors.kafka.dead_letters import list_letters, redrive, show_letter
from hellotext_vtex.foreground import execute, print_json
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.started import connected

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StoreOption = Annotated[str | None, typer.Option("--store", help="Of this store only.")]
StepOption = Annotated[str | None, typer.Option("--step", help="Given up by this step only.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
