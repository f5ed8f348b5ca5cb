"""`dead-letters`: what could not be processed; look at it, and send it again."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StoreOption = Annotated[str | None, typer.Option("--store", help="Of this store only.")]
StepOption = Annotated[str | None, typer.Option("--step", help="Given up by this step only.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
