"""`messages`: have messages sent, once each."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError

from connectors.console.rows import write_row
from hellotext_vtex.foreground import CommandError, execute, fail, print_json, told
from hellotext_vtex.known_stores import find_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from schemas.events import new_id
from schemas.messages import MessageRequest
from schemas.personal import normal_phone
from schemas.topics import MESSAGE_REQUESTS


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Messages.", no_args_is_help=True)
    group.command("send")(send)
    # A group of one command would be folded into it otherwise.
    group.callback()(lambda: None)
    app.add_typer(group, name="messages", rich_help_panel="Campaigns")


def send(
    store: Annotated[str, typer.Option(help="Name of the store.", show_default=False)],
    to: Annotated[str, typer.Option(help="Phone, with or without country prefix.", show_default=False)],
    channel: Annotated[Literal["whatsapp", "sms"], typer.Option(help="whatsapp or sms.")] = "whatsapp",
    text: Annotated[str | None, typer.Option(help="What it says; or give a template.")] = None,
    template: Annotated[str | None, typer.Option(help="Name or id of an approved template.")] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for the template; repeatable.")] = None,
    campaign: Annotated[str | None, typer.Option(help="The campaign it belongs to.")] = None,
    message: Annotated[str | None, typer.Option(help="Its id: the same id is sent once, for ever.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask for a message to be sent; the worker sends it, and its reports come back as figures.

    Example: hellotext-vtex messages send --store acme --to +5511987654321 --text "Hi!" --campaign welcome
    """
    if (text is None) == (template is None):
        fail("give either --text or --template", 2)
    wrong = [part for part in parameter or () if not part.partition("=")[0].strip() or "=" not in part]
    if wrong:
        fail(f"--parameter {wrong[0]!r} is none: write NAME=VALUE", 2)
    parameters = dict(part.partition("=")[::2] for part in parameter or ())
    name = message or (f"{campaign}.{new_id()}" if campaign else new_id())
    fields: dict[str, Any] = {
        "store": store, "message": name, "campaign": campaign, "channel": channel, "to": to, "text": text,
        "template": template, "parameters": parameters, "requested_at": datetime.now(UTC),
    }  # fmt: skip
    settings = connected(quiet=True)
    execute(lambda: _send(settings, fields))
    if json:
        print_json({"store": store, "message": name, "campaign": campaign})
    else:
        print(f"message {name} is requested.")


async def _send(settings: Settings, fields: dict[str, Any]) -> None:
    connection = await ensure_topics(settings)
    row = await find_store(connection, fields["store"])
    phone = normal_phone(fields["to"], row.country)
    if phone is None:
        raise CommandError("--to is no phone number: write it as +5511987654321")
    try:
        request = MessageRequest.model_validate({**fields, "to": phone})
    except ValidationError as error:
        raise CommandError(told(error) or "the message cannot be sent so") from None
    await write_row(connection, MESSAGE_REQUESTS, request.store, (request.message,), request)
