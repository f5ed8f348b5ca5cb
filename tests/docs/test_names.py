"""What the pages name exists: commands and their options, settings, topics, metrics, exit codes, files, make targets.

And the other way round, where a page claims to be whole.
"""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import typer
from prometheus_client.metrics_core import Metric

from connectors.pixel.metrics import Metrics as CollectorMetrics
from hellotext_vtex.app import app
from hellotext_vtex.settings import Settings
from schemas.topics import TOPICS
from streams.engine import transaction
from streams.engine.metrics import Metrics as EngineMetrics

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
TOLD = {page: page.read_text("utf-8") for page in PAGES}
FILES = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.splitlines()
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

FAMILIES = sorted({name.split("_")[0] for name in Settings.names() if "_" in name} - {"JAVA"})
"""What the names of settings begin with."""
TOPIC_HEADS = sorted({topic.name.split(".")[0] for topic in TOPICS if "." in topic.name})
NO_TOPICS = re.compile(r".*\.(py|js|gif|md)|vtex\.calls_per_minute")
EXITS = {value for name, value in vars(transaction).items() if name.startswith("EXIT_")}


def _code(text: str) -> list[str]:
    """Return every line of code: fenced, or between backticks."""
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [*(line for block in fenced for line in block.splitlines()), *spans]


def _described(metrics: list[Metric]) -> set[str]:
    return {metric.name + ("_total" if metric.type == "counter" else "") for metric in metrics}


def _wrong(words: list[str]) -> str | None:
    """Return what a command line names that does not exist."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    if hasattr(command, "commands"):
        return f"no command {' '.join(words[:1])}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in {*known, "--help"}]
    return f"no option {unknown}" if unknown else None


@every_page
def test_commands_exist(page):
    """With the options that they are shown with."""
    lines = [line.split("#")[0].split("|")[0] for line in _code(TOLD[page])]
    calls = [re.sub(r'"[^"]*"', "", line.split("hellotext-vtex ", 1)[1]) for line in lines if "hellotext-vtex " in line]

    assert {call: wrong for call in calls if "COMMAND" not in call and (wrong := _wrong(call.split()))} == {}


def test_commands_in_messages_exist():
    """What errors and logs tell people to run."""
    ours = [ROOT / name for name in FILES if name.endswith(".py") and not name.startswith(("tests/", "bench/"))]
    calls = {call for file in ours for call in re.findall(r"`hellotext-vtex ([^`{]+)`", file.read_text("utf-8"))}

    assert {call: wrong for call in calls if "COMMAND" not in call and (wrong := _wrong(call.split()))} == {}


@every_page
def test_settings_exist(page):
    """Whatever is written like one."""
    named = set(re.findall(rf"\b(?:{'|'.join(FAMILIES)})(?:_[A-Z]+)+\b", TOLD[page]))

    assert named - set(Settings.names()) == set()


@every_page
def test_topics_exist(page):
    """Whatever is written like one."""
    spans = [span for line in _code(TOLD[page]) for span in re.findall(r"[\w.]+", line)]
    named = {span for span in spans if re.fullmatch(rf"(?:{'|'.join(TOPIC_HEADS)})\.[a-z_]+", span)}

    assert {name for name in named if not NO_TOPICS.fullmatch(name)} - {topic.name for topic in TOPICS} == set()


@every_page
def test_metrics_exist(page):
    """Of collectors and workers."""
    known = _described(list(CollectorMetrics().registry.collect())) | _described(
        list(EngineMetrics().registry.collect())
    )
    named = set(re.findall(r"`((?:collector|streams)_[a-z_]+)(?:\{[^}]*\})?`", TOLD[page]))

    assert {name for name in named if not (ROOT / name).exists()} - known == set()


def test_every_metric_of_a_worker_is_told():
    """docs/engine.md has them all (docs/collector.md the collector's: tests/unit/pixel/test_docs.py)."""
    told = set(re.findall(r"^\| `(streams_\w+)", TOLD[DOCS / "engine.md"], re.MULTILINE))

    assert told == _described(list(EngineMetrics().registry.collect()))


@every_page
def test_exit_codes_exist(page):
    """Those of workers that a page names."""
    named = {int(code) for code in re.findall(r"\b[Ee]xits?(?: code| with)? (7\d)\b", TOLD[page])}

    assert named - EXITS == set()


def test_every_exit_code_is_told():
    """docs/failures.md begins with their meanings."""
    head = TOLD[DOCS / "failures.md"].split("| what fails |")[0]

    assert {int(code) for code in re.findall(r"\b7\d\b", head)} == EXITS


@every_page
def test_files_exist(page):
    """By their path from the root, or by a name that one file of the tree has."""
    spans = [span.partition("::")[0] for span in re.findall(r"`([\w./*-]+)`", TOLD[page])]
    folders = {name.split("/")[0] for name in FILES if "/" in name}
    paths = {span for span in spans if span.split("/")[0] in folders and "/" in span and "NAME" not in span}
    names = {span for span in spans if re.fullmatch(r"[\w-]+\.(py|lock|yml|toml)", span)}

    assert {path for path in paths if not list(ROOT.glob(path.rstrip("/")))} == set()
    assert names - {Path(file).name for file in FILES} == set()


@every_page
def test_targets_and_modules_exist(page):
    """What `make` and `python -m` are told to run."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    lines = _code(TOLD[page])
    made = {word for line in lines for call in re.findall(r"^make ((?:[a-z]+ ?)+)", line) for word in call.split()}
    modules = {name for line in lines for name in re.findall(r"python3? -m ([\w.]+)", line)}

    assert made - targets == set()
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()
