"""The documentation says what the code does."""

import importlib
import re
import tomllib
from pathlib import Path

import pytest

from tests.documented_names import Mention, exists, mentions
from tools import site, tiff_matrix
from tools.cli_reference import PAGE, reference

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELVES = {"tutorial", "how-to", "reference", "explanation"}


def test_cli_reference_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m tools.cli_reference"


def test_tables_of_tiff_kinds_are_current() -> None:
    page = tiff_matrix.PAGE.read_text(encoding="utf-8")
    assert page == tiff_matrix.page(), "run: python -m tools.tiff_matrix"


def test_links_between_pages_resolve() -> None:
    links = [
        (page, target)
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        if not target.startswith("http")
    ]
    assert len(links) > 100
    assert [(p.name, t) for p, t in links if not (p.parent / t).exists()] == []


def test_each_page_is_on_a_shelf_and_on_the_front_page() -> None:
    front = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[[^]]+\]\(([^)]+)\)", front, re.MULTILINE)
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES[2:]} - {"index.md"}
    assert {page.partition("/")[0] for page in pages} == SHELVES
    assert sorted(listed) == sorted(pages)


def test_pages_that_files_speak_of_exist() -> None:
    suffixes = {".py", ".md", ".toml", ".pyi", ".j2"}
    found = {
        (file.relative_to(ROOT).as_posix(), page)
        for folder in ("wsistore", "distill", "bench", "tools", "examples", "tests", "docs", ".")
        for file in ((ROOT / folder).rglob("*") if folder != "." else ROOT.glob("*"))
        if file.suffix in suffixes
        for page in re.findall(r"docs/[\w/-]+\.md", file.read_text(encoding="utf-8"))
    }
    assert len(found) > 40
    assert sorted((file, page) for file, page in found if not (ROOT / page).exists()) == []


@pytest.mark.parametrize("package", ["wsistore", "distill"])
def test_api_pages_have_every_public_name(package: str) -> None:
    page = ROOT / "docs" / "reference" / f"api-{package}.md"
    listed = re.findall(r"^::: ([\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    public = set(importlib.import_module(package).__all__) - {"__version__"}
    assert {f"{package}.{name}" for name in public} <= set(listed)
    assert len(listed) == len(set(listed))
    assert [name for name in listed if not exists(Mention(name, page.name))] == []


def test_site_fetches_nothing_from_the_network() -> None:
    page = (
        '<link rel="canonical" href="https://a"><link rel=stylesheet href="https://cdn/x.css">'
        '<script src="//cdn/y.js"></script><img src="../here.png"><a href="https://b">b</a>'
    )
    assert site.fetched(page) == ["https://cdn/x.css", "//cdn/y.js"]
    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert settings["theme"]["font"] is False
    for script in settings["extra"]["polyfills"]:
        assert (ROOT / "docs" / script["path"]).is_file()


def test_dotted_names_exist() -> None:
    found = set(mentions())
    assert len(found) > 200
    assert sorted({(m.place, m.name) for m in found if not exists(m)}) == []


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("wsistore.Store.subset", True),
        ("wsistore.levels.magnification.Level.factor", True),
        ("Store.url", True),
        ("distill.networks", True),
        ("torch.utils.flop_counter.FlopCounterMode", True),
        ("wsistore.Store.sets", False),
        ("Store.colour", False),
        ("Shop.url", False),
        ("distill.networks.execution.modes.never", False),
        ("wsistore.never", False),
        ("nowhere.at_all", False),
    ],
)
def test_a_name_is_looked_for_where_it_would_be(name: str, there: bool) -> None:
    assert exists(Mention(name, "")) is there
