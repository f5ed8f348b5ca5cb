"""The rows of results/latest.json: each of our figures beside one that it is compared with."""

import json
from pathlib import Path
from typing import Any, Final, Literal

FILE: Final = Path(__file__).parent / "results" / "latest.json"
ASKED: Final = "asked for"
"""The peer of a figure that is compared with what the project set out to reach."""
Better = Literal["higher", "lower"]
"""Which figures are better; the ratio is above 1 where ours is the better one."""


def row(
    job: str, value: float, peer_value: float, unit: str, *, subject: str, better: Better, runs: int,
    peer: str = ASKED,
) -> dict[str, Any]:  # fmt: skip
    """Return a row.

    Args:
        job: what was measured.
        value: our figure, in `unit`.
        peer_value: the other one, in `unit`.
        unit: of both.
        subject: which part of ours: engine, collector, poller.
        better: which figures are.
        runs: how many there were, of which the figures are medians.
        peer: whose the other figure is.
    """
    ratio = value / peer_value if better == "higher" else peer_value / value
    return {
        "job": job, "subject": subject, "peer": peer, "value": _short(value), "peer_value": _short(peer_value),
        "unit": unit, "ratio": round(ratio, 2), "better": better, "runs": runs,
    }  # fmt: skip


def _short(value: float) -> float:
    """Return five significant digits: no machine repeats more of them."""
    return float(f"{value:.5g}")


def keep(rows: list[dict[str, Any]]) -> None:
    """Write rows in place of the earlier ones of the same jobs."""
    jobs = {one["job"] for one in rows}
    earlier = json.loads(FILE.read_text()) if FILE.exists() else []
    FILE.parent.mkdir(parents=True, exist_ok=True)
    kept = [one for one in earlier if one["job"] not in jobs]
    FILE.write_text(json.dumps(kept + rows, indent=2) + "\n")


def tell(one: dict[str, Any]) -> None:
    """Print a row."""
    value, theirs = f"{one['value']:,} {one['unit']}", f"{one['peer']} {one['peer_value']:,}"
    print(f"{one['job']}: {value} ({theirs}): {one['ratio']}", flush=True)
