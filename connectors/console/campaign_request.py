"""What a person tells of a campaign that no report tells: read from the console's form, the CLI's flags and CSV alike.

Hellotext has no API for campaigns (contracts/hellotext CONTRACT B5). A blank means unknown, never 0 (docs/kpis.md).
"""

import csv
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)  # fmt: skip
from pydantic_core import ErrorDetails

from connectors.console.places import read_currency
from schemas.messages import Campaign
from schemas.money import to_micros
from schemas.stores import Channel

COLUMNS: Final = ("campaign", "name", "channel", "day", "recipients", "deliveries", "cost", "currency")
MOST: Final = 1_000_000_000
"""Of messages, and of a cost in major units: more is a slip of the hand."""


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Optional = BeforeValidator(_blank_is_none)
Count = Annotated[Annotated[int, Field(ge=0, le=MOST)] | None, Optional]
Name = Annotated[Annotated[str, Field(max_length=200)] | None, Optional]


class CampaignRequest(BaseModel):
    """A campaign as somebody describes it.

    Raises:
        pydantic.ValidationError: names each field that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    campaign: str = Field(min_length=1, max_length=200, description="Its id: utm_campaign, campaignReferenceId.")
    name: Name = Field(default=None, description="The id by default.")
    channel: Annotated[Channel | None, Optional] = None
    day: date = Field(description="The day it was sent, in the store's time zone.")
    recipients: Count = None
    deliveries: Count = None
    cost: Annotated[str | None, Optional] = Field(default=None, description="In major units: 129.90.")
    currency: Annotated[str | None, Optional] = None

    @field_validator("day", mode="before")
    @classmethod
    def _day(cls, given: Any) -> Any:
        try:
            return date.fromisoformat(given.strip()) if isinstance(given, str) else given
        except ValueError:
            raise ValueError("give the day as YYYY-MM-DD, such as 2026-11-27") from None

    @field_validator("cost")
    @classmethod
    def _cost(cls, given: str | None) -> str | None:
        if given is not None:
            _amount(given)
        return given

    @field_validator("currency")
    @classmethod
    def _currency(cls, given: str | None) -> str | None:
        return None if given is None else read_currency(given)

    @model_validator(mode="after")
    def _together(self) -> Self:
        if self.cost is not None and self.currency is None:
            raise ValueError("a cost needs its currency")
        if None not in {self.recipients, self.deliveries} and (self.deliveries or 0) > (self.recipients or 0):
            raise ValueError("more deliveries than recipients: are they the other way round?")
        return self

    def row(self, store: str) -> Campaign:
        """Return the row of the topic `campaigns`."""
        return Campaign(
            store=store, campaign=self.campaign, name=self.name or self.campaign, channel=self.channel, day=self.day,
            recipients=self.recipients, deliveries=self.deliveries,
            cost_micros=None if self.cost is None else to_micros(_amount(self.cost)), currency=self.currency,
        )  # fmt: skip


class CsvError(ValueError):
    """A CSV text holds something that is no campaign; the message names the line."""


def read_csv(text: str) -> list[CampaignRequest]:
    """Return the campaigns in a CSV text with a head line; separated by commas, or by semicolons as in Brazil's Excel.

    Raises:
        CsvError: a column or a line is wrong.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    separator = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
    table = csv.DictReader(lines, delimiter=separator, restkey="too many values")
    names = table.fieldnames or ()
    if set(names) - set(COLUMNS) or "campaign" not in names:
        raise CsvError(f"the columns must be {', '.join(COLUMNS)}; got {', '.join(names) or 'none'}")
    return [_read_line(number, line) for number, line in enumerate(table, start=2)]


def _read_line(number: int, line: dict[str, Any]) -> CampaignRequest:
    given = {name: value for name, value in line.items() if value}
    given.setdefault("day", date.today())  # noqa: DTZ011  the day of whoever imports it
    try:
        return CampaignRequest.model_validate(given)
    except ValidationError as error:
        raise CsvError(f"line {number}: {'; '.join(told(error).values())}") from None


def told(error: ValidationError) -> dict[str, str]:
    """Return what is wrong, by field; `""` is about the whole."""
    return {
        str(one["loc"][0]) if one["loc"] else "": "".join(f"{part}: " for part in one["loc"][:1]) + _said(one)
        for one in error.errors(include_input=False, include_url=False, include_context=False)
    }


def _said(one: ErrorDetails) -> str:
    if one["type"] in {"missing", "string_too_short"}:
        return "please fill this in"
    if one["type"] == "extra_forbidden":
        return "more values than columns"
    return one["msg"].removeprefix("Value error, ")


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError("the cost is no number: write it as 129.90") from None
    if not amount.is_finite() or not 0 <= amount <= MOST:
        raise ValueError(f"the cost must be between 0 and {MOST:,}")
    return amount
