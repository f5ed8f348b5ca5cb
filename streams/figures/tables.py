"""The tables of the kpis agent: what was counted how, and the cells.

How long: what was counted, as long as the facts behind it (2 years); cells for ever, since a total has no end.
"""

from datetime import timedelta
from typing import Final

from streams.engine.agent import Table

_LONG: Final = timedelta(days=730)

COUNTED_MESSAGES: Final = Table("kpi-messages", ttl=_LONG, disk=True)
"""store/message -> `i` and `n` digests of its reports and clicks, `k` what landings depend on, `v` visitors of its
landings, `s` as counted."""
COUNTED_LANDINGS: Final = Table("kpi-landings", ttl=_LONG, disk=True)
"""store/session+campaign -> as counted."""
COUNTED_ORDERS: Final = Table("kpi-orders", ttl=_LONG, disk=True)
"""store/order -> as counted."""
VISITORS: Final = Table("kpi-visitors", ttl=_LONG, disk=True)
"""store/campaign+date+visitor -> how many landings."""
CELLS: Final = Table("kpi-cells")
"""store/campaign+basis+date -> `n` sums, `c` the day's cost, `o` digests of the rows published, by currency."""
CAMPAIGNS: Final = Table("kpi-campaigns")
"""store/campaign -> `row` as imported, `days` that have a cell, `reported`, `priced`."""
STORES: Final = Table("kpi-stores")
"""store -> digest of the prices and rates that its costs were reckoned with."""

FIGURES: Final = (COUNTED_MESSAGES, COUNTED_LANDINGS, COUNTED_ORDERS, VISITORS, CELLS, CAMPAIGNS, STORES)
