"""`stores renew`: new secrets of a store's own, and where whoever uses them has to put them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from connectors.console.connect import renewed
from connectors.console.rows import write_row
from connectors.kafka.secrets import SecretBox
from connectors.pixel.snippet import Hooks, hooks_for
from hellotext_vtex.foreground import WRONG_USAGE, execute, fail, print_json
from hellotext_vtex.keys import open_box
from hellotext_vtex.known_stores import find_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import moment
from schemas.stores import StoreConnection
from schemas.topics import STORES

Secret = Literal["hook_secret", "server_token"]


def renew(
    store: Annotated[str, typer.Argument(help="Name of the store.", show_default=False)],
    hook_secret: Annotated[
        bool, typer.Option("--hook-secret", help="What VTEX's triggers and Infobip's webhooks carry.")
    ] = False,
    server_token: Annotated[bool, typer.Option("--server-token", help="What the shop's own back end sends.")] = False,
    old_for: Annotated[
        int, typer.Option("--old-for", help="Days that the one before is still taken; 0: it leaked.", min=0, max=365)
    ] = 7,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask no questions.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make a store's hook secret or server token anew, and show it: the one before is taken beside it for some days.

    The secret of its hashes is never made anew: what is told today could not be joined with what was told before.

    Example: hellotext-vtex stores renew acme --hook-secret --old-for 3 --yes
    """
    chosen: dict[Secret, bool] = {"hook_secret": hook_secret, "server_token": server_token}
    names = [name for name, wanted in chosen.items() if wanted]
    if not names:
        fail("nothing to renew: give --hook-secret, --server-token, or both", WRONG_USAGE)
    settings = connected(quiet=True)
    execute(lambda: _row(settings, store))
    question = f"Renew the {_words(names)} of {store}? {_lasting(old_for)}"
    if not yes and not typer.confirm(question, default=False, err=True):
        raise typer.Exit(1)
    until = datetime.now(UTC) + timedelta(days=old_for) if old_for else None
    row, box = execute(lambda: _renew(settings, store, names, until))
    _tell(settings, row, box, names, until, as_json=json)


async def _row(settings: Settings, store: str) -> StoreConnection:
    return await find_store(await ensure_topics(settings), store)


async def _renew(
    settings: Settings, store: str, names: Sequence[Secret], until: datetime | None
) -> tuple[StoreConnection, SecretBox]:
    box = open_box(settings)
    row = renewed(await _row(settings, store), box, names, until)
    await write_row(settings.connection(), STORES, store, (), row)
    return row, box


def _tell(
    settings: Settings, row: StoreConnection, box: SecretBox, names: Sequence[Secret], until: datetime | None, *,
    as_json: bool,
) -> None:  # fmt: skip
    hooks = hooks_for(row, settings.public_collector_url, box.unseal(row.hook_secret))
    token = box.unseal(row.server_token)
    if as_json:
        shown = _addresses(hooks) if "hook_secret" in names else {}
        shown |= {"server_token": token} if "server_token" in names else {}
        print_json({"store": row.store, "old_until": until and until.isoformat(timespec="seconds"), **shown})
        return
    still = f"taken until {moment(until)}" if until else "refused from now on"
    print(f"Renewed: the {_words(names)} of {row.store}. What was before is {still}.")
    if "hook_secret" in names:
        print("\nThese addresses carry the new hook secret; put them where the old ones are:")
        print(f"  Infobip reports           {hooks.reports}")
        print(f"  Master Data triggers      {hooks.customers}")
        print(f"  OMS hook                  {hooks.orders}")
        print("A poller that knows COLLECTOR_URL sets the OMS hook by itself.")
    if "server_token" in names:
        print("\nServer token, for the shop's own back end (Authorization: Bearer ...):")
        print(f"  {token}")


def _addresses(hooks: Hooks) -> dict[str, str]:
    return {
        "reports_url": hooks.reports, "customers_trigger_url": hooks.customers, "orders_hook_url": hooks.orders,
    }  # fmt: skip


def _words(names: Sequence[Secret]) -> str:
    return " and the ".join(name.replace("_", " ") for name in names)


def _lasting(days: int) -> str:
    return f"The one before is taken for {days} more days." if days else "The one before is refused from now on."
