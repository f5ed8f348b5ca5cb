"""What is written about the engine is what it does: the protocol's steps, exit codes, and failure scenarios."""

import ast
import re
import runpy
from pathlib import Path

from schemas import topics
from streams.engine import transaction
from streams.engine.settings import EngineSettings
from streams.engine.testing import MemoryShard
from tests.crash.engine.running import outcome_of

ROOT = Path(__file__).parents[3]
STEP = re.compile(r"^ *(\d+)\. \*\*([^*]+)\*\*", re.MULTILINE)
ENGINE = (ROOT / "docs" / "engine.md").read_text()
FAILURES = (ROOT / "docs" / "failures.md").read_text()


def test_docstring_and_documentation_number_the_same_steps():
    """One protocol, in both places."""
    steps = STEP.findall(transaction.__doc__)
    assert [int(number) for number, _ in steps] == list(range(1, 11))
    assert STEP.findall(ENGINE) == steps


def test_the_code_carries_the_numbers_of_its_steps():
    """Steps 3 to 10 stand as comments where they are taken."""
    code = "".join(path.read_text() for path in (ROOT / "streams" / "engine").glob("*.py"))
    numbers = {int(number) for number in re.findall(r"  # (\d+)(?: to \d+)?$", code, re.MULTILINE)}
    assert set(range(3, 11)) <= numbers


def test_every_exit_code_is_explained():
    """An operator finds each code of a worker on the page of failures."""
    tree = ast.parse(Path(transaction.__file__).read_text())
    codes = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id.startswith("EXIT_")
    }
    assert sorted(codes.values()) == list(range(70, 77))
    assert [code for code in codes.values() if f"| {code} |" not in FAILURES] == []


async def test_the_agents_of_the_documentation_work(tmp_path):
    """The page's program runs as it stands there, its own test too."""
    program = tmp_path / "example.py"
    program.write_text("\n\n".join(re.findall(r"^```python\n(.*?)^```", ENGINE, re.MULTILINE | re.DOTALL)))
    names = runpy.run_path(str(program))
    await names["test_a_cart_without_an_order_is_told"]()

    shard = MemoryShard([names["Counts"](), names["Reminders"]()])
    await shard.feed(topics.PIXEL_EVENTS, (b"acme/1", b"{}"))
    await shard.tick(later_ms=names["HOUR_MS"])
    (effect,) = shard.effects()
    await shard.outcome(outcome_of(effect, "rejected"))
    assert shard.table(names["COUNTS"]) == {"acme": 1}
    assert shard.table(names["CARTS"]) == {"acme/1": shard.now + names["HOUR_MS"]}


def test_settings_named_in_the_documentation_exist():
    """What the page of the engine calls a setting is one."""
    named = set(re.findall(r"`(\w+)`", ENGINE.partition("## Settings")[2].partition("##")[0])) - {"EngineSettings"}
    fields = set(EngineSettings.__dataclass_fields__)
    assert {name for name in named if "_" in name} <= fields
