"""The documents say what the code does."""

import re
import tomllib
from pathlib import Path

import pytest

from hellotext_vtex import reference
from hellotext_vtex.settings import Settings
from schemas import generate
from schemas.kpis import CampaignKpis

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")]


def test_generated_pages_are_fresh():
    """`make schemas docs` was run after the last change."""
    assert generate.main(["--check"]) == 0
    assert reference.main(["--check"]) == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link of every page names a file that exists."""
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_headings(page):
    """What stands behind the # of a link is a heading of that page, as GitHub names it."""
    links = re.findall(r"\]\(([^)#:\s]*\.md)?#([\w-]+)\)", page.read_text("utf-8"))
    headings = {name: _headings(page.parent / name if name else page) for name, _ in links}

    assert [f"{name}#{heading}" for name, heading in links if heading not in headings[name]] == []


def _headings(page: Path) -> set[str]:
    lines = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_every_dependency_has_its_reason():
    """What pyproject.toml asks for stands in docs/dependencies.md."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=;\s]", line)[0] for line in wanted}
    page = (DOCS / "dependencies.md").read_text("utf-8")

    assert {name for name in names if not re.search(rf"\b{re.escape(name)}\b", page)} == set()


def test_every_kpi_is_defined():
    """docs/kpis.md says what each figure of a cell means."""
    page = (DOCS / "kpis.md").read_text("utf-8")
    figures = set(CampaignKpis.model_fields) - {"store", "campaign", "updated_at"}

    assert {name for name in figures if name.removesuffix("_micros") not in page} == set()


def test_every_make_target_explains_itself():
    """`make` alone lists them with what they do."""
    targets = re.findall(r"^([a-z-]+):(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    assert [name for name, rest in targets if "##" not in rest] == []


def test_settings_have_defaults_that_run():
    """Nothing has to be set to start everything here."""
    assert [name for name, field in Settings.model_fields.items() if field.is_required()] == []


def test_every_page_can_be_found():
    """Some other page links to it."""
    linked = {link for page in PAGES for link in re.findall(r"([\w-]+\.md)", page.read_text("utf-8"))}

    assert [page.name for page in DOCS.glob("*.md") if page.name not in linked] == []
