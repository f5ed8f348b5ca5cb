"""The base of every event and row: frozen, tolerant of fields it does not know."""

from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

STORE_NAME: Final = r"[a-z0-9][a-z0-9_-]{0,62}"
HASH: Final = r"[0-9a-f]{64}"


class Model(BaseModel):
    """A value in a topic.

    Readers ignore unknown fields, so that a newer writer never stops an older reader (DESIGN section 2).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


Instant = Annotated[AwareDatetime, Field(description="UTC, RFC 3339.")]
Store = Annotated[str, Field(pattern=f"^{STORE_NAME}$", description="The store's name: one VTEX account, one store.")]
Minor = Annotated[int, Field(description="Amount in minor units of the currency beside it.")]
Micros = Annotated[int, Field(description="Price or cost in micro-units (1/1,000,000) of the currency beside it.")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")]
Hash = Annotated[str, Field(pattern=f"^{HASH}$", description="HMAC-SHA-256 of a normal form with the store's secret.")]
