"""The cohort's page and its folder: what it shows, what it refuses, and that it asks nothing."""

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import wsistore
from tests.wsistore.preview.conftest import HOSTILE
from wsistore.cli.main import main
from wsistore.preview.slide_view import slide_views


class Page(HTMLParser):
    """Elements with their attributes, texts of the cards, and the inline script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cards: list[str] = []
        self.inline: dict[str, str] = {}
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag
        if tag == "article":
            self.cards.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style"):
            self.inline[self._in] = self.inline.get(self._in, "") + data
        elif self.cards:
            self.cards[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def preview(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["preview", *map(str, arguments)])


@pytest.fixture(scope="module")
def folder(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("look") / "out"
    result = preview(built, "--out", out, "--size", 400)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_one_card_a_slide_with_outcome_label_patient_and_reason(page: Page) -> None:
    cards = dict(zip(("a", "broken", "glass", "two"), page.cards, strict=True))
    data = [(a["data-outcome"], a["data-crops"]) for a in page.all("article")]
    assert data == [("ok", "1"), ("failed", "0"), ("empty", "0"), ("ok", "2")]
    for text in ("two", "benign", "patient p1", "0.80 × 0.60 mm", "1,600 × 1,200 px", "2 crops",
                 "0.5 µm/px (file)"):  # fmt: skip
        assert text in cards["two"]
    assert "not a TIFF file" in cards["broken"]
    assert "no tissue was found" in cards["glass"]
    assert HOSTILE in cards["a"]
    assert f"patient {HOSTILE}" in cards["a"]
    assert "a_b__c" in cards["a"]


def test_hostile_names_are_text_and_one_script_is_ours(folder: Path, page: Page) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert len(page.all("script")) == text.lower().count("<script") == 1
    assert not [
        name for _, found in page.tags for name in found if name.startswith(("on", "style"))
    ]
    options = [a["value"] for a in page.all("option")]
    assert options == ["", "ok", "empty", "failed", "", "0", "1", "2", "place", "crops", "mpp"]


def test_the_policy_allows_what_is_inline_by_hash_and_no_network(page: Page) -> None:
    (policy,) = [
        str(a["content"]) for a in page.all("meta") if "http-equiv" in a
    ]  # fmt: skip
    assert policy.startswith("default-src 'none'; img-src 'self' file: data:;")
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.inline[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    links = [a[key] for _, a in page.tags for key in ("src", "href") if a.get(key)]
    assert links
    assert all(re.fullmatch(r"data:,|(thumbnails|sheets)/[\w%.]+", str(link)) for link in links)
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttp", str(page.inline))


def test_every_picture_is_there_and_as_large_as_the_page_says(folder: Path, page: Page) -> None:
    images = page.all("img")
    assert [a["loading"] for a in images] == ["lazy"] * 3
    for attributes in images:
        with Image.open(folder / str(attributes["src"])) as image:
            assert (str(image.width), str(image.height)) == (
                attributes["width"], attributes["height"],
            )  # fmt: skip
    sheets = sorted(path.name for path in (folder / "sheets").iterdir())
    assert sheets == ["a_b__c.png", "glass.png", "two.png"]
    assert sorted(path.name for path in folder.iterdir()) == ["index.html", "sheets", "thumbnails"]
    assert [path.name for path in folder.parent.iterdir()] == ["out"]


def test_only_an_earlier_preview_is_replaced_and_only_when_asked(
    built: Path, folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "index.html").write_text("my own page", encoding="utf-8")
    for more in ([], ["--overwrite"]):
        result = preview(built, "--out", other, *more)
        assert result.exit_code == 2
        assert result.output == (
            f"Error: {other}: is not empty and no preview; choose another --out\n"
        )
    assert [path.name for path in other.iterdir()] == ["index.html"]
    ours = tmp_path / "ours"
    shutil.copytree(folder, ours)
    (ours / "index.html").write_bytes((ours / "index.html").read_bytes() + b"<!-- old -->")
    refused = preview(built, "--out", ours, "--size", 300)
    assert refused.exit_code == 2
    assert "choose another --out or give --overwrite" in refused.output
    assert preview(built, "--out", ours, "--size", 300, "--overwrite").exit_code == 0
    assert b"<!-- old -->" not in (ours / "index.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "thesis"]


def test_a_damaged_crop_is_said_and_hides_no_other(built: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(built, store)
    for shard in (store / "slides" / "two" / "1").glob("*/c/0/*/*"):
        data = bytearray(shard.read_bytes())
        data[len(data) // 4 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 4)
        shard.write_bytes(bytes(data))
    result = preview(store, "--size", 300)
    assert result.exit_code == 1
    page = Page((tmp_path / "store-preview" / "index.html").read_text(encoding="utf-8"))
    assert "cannot be read" in page.cards[3]
    assert len(page.all("img")) == 2
    assert page.all("article")[3]["data-warned"] == "1"


def test_a_table_that_names_a_slide_outside_the_store_is_refused(
    built: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(built, store)
    table = (store / "slides.csv").read_text(encoding="utf-8")
    (store / "slides.csv").write_text(table.replace("\nglass,", "\n../../glass,"), encoding="utf-8")
    with pytest.raises(wsistore.StoreError, match=r"'\.\./\.\./glass' is not a slide"):
        slide_views(wsistore.open(store))
    assert preview(store).exit_code == 1
    assert not (tmp_path / "store-preview").exists()
