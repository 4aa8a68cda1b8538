"""The page and the Markdown: whole, offline, the same twice, and names in them are text."""

import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from PIL import Image

from tests.distill.commands import done
from tests.distill.report.fabricate import make_run, make_store, taught_by
from tests.events import DEADLINE
from wsistore.formatting.texts import visible

CLASSES = (
    "<script>document.title='pwned'</script> | a",
    "=cmd|'/c calc'!A0",
    'two\nlines "quoted" <img src=x onerror="document.title=1">',
)
FOLDER = "kd <b>$x^2$<b> | `c` & co"
SUBSET = "aux<i>9"


class Page(HTMLParser):
    """Elements with their attributes, and the page's text without style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_data(self, data: str) -> None:
        if self._in != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(*arguments: object) -> str:
    return done("report", *arguments).output


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on names that try to be more than names."""
    folder = tmp_path_factory.mktemp("hostile")
    store = make_store(folder / "store", classes=CLASSES)
    runs = [make_run(folder / "teacher", store, "teacher", "10x", 3.0, classes=CLASSES)]
    for name in (FOLDER, "other"):
        runs.append(
            make_run(folder / name, store, "kd", "5x", 2.0, classes=CLASSES, name=name,
                     **taught_by(runs[0]), subset=SUBSET)
        )  # fmt: skip
    maps = folder / "maps"
    maps.mkdir()
    Image.new("RGB", (30, 20), "red").save(maps / "x<img src=y onerror=z> | p.png")
    report(*runs, store, "--out", folder / "out", "--explain", maps)
    return folder / "out"


@pytest.fixture(scope="module")
def page(hostile: Path) -> Page:
    return Page((hostile / "index.html").read_text(encoding="utf-8"))


def test_hostile_names_are_text_in_the_page(hostile: Path, page: Page) -> None:
    for name in CLASSES:
        assert visible(name) in page.text
    assert f"KD ({SUBSET}) · {FOLDER}" in page.text
    assert not page.all("script")
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    assert [tag for tag, _ in page.tags if tag in ("i", "iframe", "object", "form", "base")] == []
    (image,) = page.all("img")
    assert (image["alt"], image["width"]) == ("x<img src=y onerror=z> | p", "30")
    assert str(image["src"]).startswith("data:image/png;base64,")


def test_the_page_fetches_nothing_and_every_link_leads_to_its_files(
    hostile: Path, page: Page
) -> None:
    (policy,) = [str(a["content"]) for a in page.all("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline';")
    links = [
        str(a[key]) for _, a in page.tags for key in ("src", "href", "xlink:href") if a.get(key)
    ]
    ids = [str(a["id"]) for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        elif not link.startswith("data:"):
            assert (hostile / unquote(link)).is_file()
    text = (hostile / "index.html").read_text(encoding="utf-8")
    inside = re.findall(r"url\(([^)]*)\)", text)
    assert all(one.startswith("#") and one[1:] in ids for one in inside)
    assert "@import" not in text
    assert set(re.findall(r"https?://[\w./]+", text)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip


def test_every_picture_has_an_alternative_in_words(page: Page) -> None:
    figures = page.all("svg")
    # each of three runs has curves of its own, and each of three classes one of all runs
    assert len(figures) == 2 + 3 * 3 + 3
    assert all(a["role"] == "img" and len(str(a["aria-label"])) > 30 for a in figures)
    assert "KD (aux<i>9)" in str(figures[0]["aria-label"])


def test_hostile_names_are_text_in_markdown(hostile: Path) -> None:
    text = (hostile / "report.md").read_text(encoding="utf-8")
    parser = MarkdownIt("gfm-like", {"linkify": False})
    tokens = parser.parse(text)
    inline = [part for token in tokens for part in (token.children or [])]
    kinds = {token.type for token in [*tokens, *inline]}
    assert "html_inline" not in kinds
    assert [token.content for token in tokens if token.type == "html_block"] == [
        "<!-- distill report -->\n"
    ]
    shown = ["".join(part.content for part in token.children or []) for token in tokens]
    for name in CLASSES:
        assert visible(name) in shown
    assert f"KD ({SUBSET}) · {FOLDER}" in shown
    links = [str(part.attrs.get("href") or part.attrs.get("src")) for part in inline
             if part.type in ("link_open", "image")]  # fmt: skip
    assert len(links) > 10
    assert all((hostile / link).is_file() for link in links)
    widths = {}  # each row of a table has as many cells as its head
    for number, line in enumerate(text.splitlines()):
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line)) - 1
            assert cells == widths.get(number - 1, cells), line
            widths[number] = cells


def test_hostile_names_are_text_in_csv(hostile: Path) -> None:
    seen = set()
    for file in (hostile / "tables").iterdir():
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))
        assert len({len(row) for row in rows}) == 1, file
        for value in (value for row in rows for value in row):
            seen.add(value)
            if value.startswith(("=", "+", "@", "-")):
                float(value)
    assert {visible(CLASSES[0]), f"'{CLASSES[1]}", visible(CLASSES[2])} <= seen


def test_chromium_shows_it_without_an_error_or_a_script(hostile: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    done = subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--user-data-dir={tmp_path}", "--dump-dom", (hostile / "index.html").as_uri()],
        capture_output=True, text=True, timeout=DEADLINE, check=True,
    )  # fmt: skip
    assert "<title>Student beside teacher: store, test</title>" in done.stdout
    assert "KD (aux&lt;i&gt;9) · kd &lt;b&gt;" in done.stdout
    assert "CONSOLE" not in done.stderr
