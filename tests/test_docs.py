"""The documentation says what the code does."""

import re
from pathlib import Path

import pytest

from tests.documented_names import Mention, exists, mentions
from tools import tiff_matrix
from tools.cli_reference import PAGE, reference

ROOT = Path(__file__).resolve().parents[1]


def test_cli_reference_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run: python -m tools.cli_reference"


def test_tables_of_tiff_kinds_are_current() -> None:
    page = tiff_matrix.PAGE.read_text(encoding="utf-8")
    assert page == tiff_matrix.page(), "run: python -m tools.tiff_matrix"


def test_links_between_pages_resolve() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    links = [
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
        if not target.startswith("http")
    ]
    assert links
    assert [(p.name, t) for p, t in links if not (p.parent / t).exists()] == []


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
