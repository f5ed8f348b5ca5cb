"""The internals of Faust and aiokafka that the engine touches are those that were read."""

import ast
from importlib.metadata import version
from pathlib import Path

import pytest

from streams.engine.internals import INTERNALS, fingerprint_of

ENGINE = Path(__file__).parents[3] / "streams" / "engine"


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: internal.path.partition(":")[2])
def test_is_as_it_was_read(internal):
    """A new release that changes one fails here: read the change before renewing the fingerprint."""
    assert fingerprint_of(internal.path) == internal.fingerprint, (
        f"{internal.path} has changed (faust-streaming {version('faust-streaming')}, aiokafka {version('aiokafka')}). "
        f"{internal.used_by}.py relies on this: {internal.relied_on}. See streams/engine/internals.py."
    )


def test_each_is_used_by_a_module_that_exists():
    """The list names where to look."""
    assert all((ENGINE / f"{internal.used_by}.py").is_file() for internal in INTERNALS)


def test_private_names_are_touched_in_few_modules():
    """Only modules that say so at their top reach into faust or aiokafka."""
    allowed = {"fetch.py", "consumer.py", "worker.py", "producer.py", "unpack.py"}
    for module in ENGINE.glob("*.py"):
        tree = ast.parse(module.read_text())
        private = {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
            and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
            and not (isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name))
        }
        assert not private or module.name in allowed, f"{module.name} touches {private}"
