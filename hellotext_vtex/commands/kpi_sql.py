"""`kpis sql`: the figures in a database in memory, to be read only."""

import sqlite3
from typing import Annotated, Any, Final

import orjson
import typer
from rich.table import Table

from connectors.kafka.reader import latest_by_key
from hellotext_vtex.foreground import WRONG_USAGE, execute, fail, print_json
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import terminal
from schemas.kpis import Attribution, CampaignKpis
from schemas.model import Model
from schemas.topics import ATTRIBUTIONS, KPI_CAMPAIGNS, Topic

TABLES: Final[dict[str, tuple[Topic, type[Model]]]] = {
    "kpis": (KPI_CAMPAIGNS, CampaignKpis),
    "attributions": (ATTRIBUTIONS, Attribution),
}
READ_ONLY: Final = "only reading is possible here: write one SELECT"
_READING: Final = frozenset((
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
))  # fmt: skip
_LOOKING: Final = frozenset(("table_info", "table_xinfo", "table_list"))


class QueryError(Exception):
    """A query that cannot be answered; the message says why, and what there is to ask."""


def sql(
    query: Annotated[str, typer.Argument(help="SQLite; tables kpis and attributions.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask the figures by SQL: tables `kpis` and `attributions`, columns as in docs/schemas, money in minor units.

    Example: hellotext-vtex kpis sql "select store, campaign, net, currency from kpis where basis = 'total'"
    """
    settings = connected(quiet=True)
    try:
        columns, rows = ask(execute(lambda: _rows(settings)), query)
    except QueryError as error:
        fail(str(error), WRONG_USAGE)
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    terminal().print(table)


def ask(given: dict[str, list[Model]], query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return columns and rows of a query's answer.

    Args:
        given: rows, by table.
        query: one statement of SQLite that reads.

    Raises:
        QueryError: it is none.
    """
    database = sqlite3.connect(":memory:")
    try:
        for name, told in given.items():
            _fill(database, name, TABLES[name][1], told)
        database.set_authorizer(_allowed)
        cursor = database.execute(query)
        rows = cursor.fetchall()
        if cursor.description is None:  # nothing but blanks and comments
            raise QueryError(f"{READ_ONLY}\n{_what_there_is()}")
    except (sqlite3.Error, sqlite3.Warning) as error:
        refused = "not authorized" in str(error) or "one statement" in str(error)
        raise QueryError(f"{READ_ONLY if refused else f'the query failed: {error}'}\n{_what_there_is()}") from None
    finally:
        database.close()
    return [column[0] for column in cursor.description], rows


def _allowed(action: int, first: str | None, *_: str | None) -> int:
    reading = action in _READING or (action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _LOOKING)
    return sqlite3.SQLITE_OK if reading else sqlite3.SQLITE_DENY


def _what_there_is() -> str:
    return "\n".join(f"table {name}: {', '.join(model.model_fields)}" for name, (_, model) in TABLES.items())


async def _rows(settings: Settings) -> dict[str, list[Model]]:
    return {name: await read_rows(settings, topic, model) for name, (topic, model) in TABLES.items()}


async def read_rows(settings: Settings, topic: Topic, model: type[Model]) -> list[Any]:
    """Return the rows that stand in a compacted topic."""
    found = await latest_by_key(await ensure_topics(settings), topic.name)
    return [model.model_validate_json(record.value) for record in found.values()]


def _fill(database: sqlite3.Connection, name: str, model: type[Model], rows: list[Model]) -> None:
    columns = ", ".join(f'"{field}"' for field in model.model_fields)
    database.execute(f"create table {name} ({columns})")
    places = ", ".join("?" for _ in model.model_fields)
    values = [tuple(flat(row).values()) for row in rows]
    database.executemany(f"insert into {name} values ({places})", values)  # noqa: S608  names are our models' own
    database.commit()


def flat(row: Model) -> dict[str, Any]:
    """Return a row's fields; nested ones as JSON text."""
    fields = row.model_dump(mode="json")
    return {
        name: orjson.dumps(value).decode() if isinstance(value, dict | list) else value
        for name, value in fields.items()
    }
