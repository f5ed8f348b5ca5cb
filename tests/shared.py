"""Reference material beside the repository (`../shared`): contracts of vendors, which stay where they are."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).resolve().parents[2] / "shared"
SHARED: Path | None = _FOLDER if _FOLDER.is_dir() else None


def shared_file(relative: str) -> Path:
    """Return a file of the shared folder; skip the test where it is missing, saying so."""
    if SHARED is None:
        pytest.skip(f"the shared contracts folder is missing (wanted {relative} of it beside the repository)")
    found = SHARED / relative
    if not found.exists():
        pytest.skip(f"the shared contracts folder has no {relative}")
    return found
