"""The house rules that a newcomer would not notice breaking."""

import importlib
import importlib.metadata
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "connectors", "streams", "hellotext_vtex", "sandbox")
FILES = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (ROOT / name).exists()
]


@pytest.mark.parametrize("name", PACKAGES)
def test_our_packages_resolve_inside_the_tree(name):
    """PyPI has packages of these names: none may stand in front of ours (docs/decisions/0001)."""
    assert Path(importlib.import_module(name).__file__).is_relative_to(ROOT)


def test_no_installed_distribution_claims_our_names():
    """Nor may one be installed beside ours; our own editable install claims the front door alone."""
    claimed = importlib.metadata.packages_distributions()

    assert {name: claimed[name] for name in PACKAGES if name in claimed and claimed[name] != ["hellotext-vtex"]} == {}


def test_nothing_is_left_to_do():
    """Unfinished work is an issue, not a mark in the code."""
    mark = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")

    assert [str(file) for file in FILES if mark.search(file.read_text("utf-8"))] == []


def test_modules_are_small():
    """Four hundred lines are enough for one idea."""
    long = {str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in FILES}

    assert {name: lines for name, lines in long.items() if lines > 400 and not name.startswith("tests/")} == {}


def test_only_the_front_door_reads_the_environment():
    """Settings are read once and handed in."""
    reading = re.compile(r"\bos\.(environ|getenv)\b")
    below = [
        file for file in FILES if file.relative_to(ROOT).parts[0] in {"schemas", "connectors", "streams", "sandbox"}
    ]

    assert [str(file) for file in below if reading.search(file.read_text("utf-8"))] == []
