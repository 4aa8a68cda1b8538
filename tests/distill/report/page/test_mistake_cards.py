"""The worst mistakes: which they are, what is said of them, their pictures and links."""

import base64
import csv
import io
import shutil
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from distill.report.page.mistake_cards import SIDE
from tests.distill.commands import distill, done
from tests.distill.report.fabricate import color, make_run, make_store, paint
from tests.distill.report.page.test_html import Page

STUDENT = ("kd-aux1-1.25x-0", "kd-aux1-1.25x-1")
RUNS = ("teacher", "baseline-1.25x-0", "kd-train-1.25x-0", *STUDENT)
MOST = 6
Row = dict[str, str]


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture(scope="module")
def store(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store with pixels."""
    folder = tmp_path_factory.mktemp("painted") / "store"
    shutil.copytree(made / "store", folder)
    paint(folder)
    return folder


@pytest.fixture(scope="module")
def preview(store: Path) -> Path:
    """A page as `wsistore preview` writes it, as far as links need it."""
    folder = store.parent / "a preview"
    folder.mkdir()
    crops = "".join(f'<li id="crop-{row["crop"]}"></li>' for row in read(store / "crops.csv"))
    page = f'<meta name="generator" content="wsistore preview"><ul>{crops}</ul>'
    (folder / "index.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def out(made: Path, store: Path, preview: Path) -> Path:
    folder = store.parent / "report" / "out"
    runs = [made / name for name in RUNS]
    done("report", *runs, store, "--out", folder, "--mistakes", MOST, "--preview", preview)
    return folder


def chances(made: Path, runs: str) -> dict[str, dict[str, float]]:
    """Each labelled crop's probabilities, the mean over runs, and its label."""
    tables = [
        read(made / name / "evaluation" / "main-test" / "predictions.csv")
        for name in runs.split(" + ")
    ]
    found = {}
    for rows in zip(*tables, strict=True):
        names = [name for name in rows[0] if name.startswith("p_")]
        found[rows[0]["crop"]] = {
            name[2:]: fmean(float(row[name]) for row in rows) for name in names
        }
    return found


def test_the_table_is_that_of_predictions_csv(made: Path, out: Path) -> None:
    listed = read(out / "tables" / "mistakes.csv")
    labels = {row["crop"]: row["label"] for row in
              read(made / "teacher" / "evaluation" / "main-test" / "predictions.csv")}  # fmt: skip
    teacher = chances(made, "teacher")
    for runs in ("teacher", "baseline-1.25x-0", "kd-train-1.25x-0", " + ".join(STUDENT)):
        own = chances(made, runs)
        wrong = [
            (-max(shares.values()), crop) for crop, shares in own.items()
            if max(shares, key=shares.__getitem__) != labels[crop]
        ]  # fmt: skip
        assert len(wrong) > MOST
        rows = [row for row in listed if row["runs"] == runs]
        assert [row["crop"] for row in rows] == [crop for _, crop in sorted(wrong)[:MOST]]
        for row in rows:
            shares, truth = own[row["crop"]], labels[row["crop"]]
            assert (row["slide"], row["truth"]) == (row["crop"].split("/")[0], truth)
            assert float(row["probability"]) == pytest.approx(shares[row["predicted"]], abs=1e-15)
            assert float(row["probability"]) == pytest.approx(max(shares.values()), abs=1e-15)
            assert float(row["probability_of_truth"]) == pytest.approx(shares[truth], abs=1e-15)
            if runs == "teacher":
                assert (row["teacher"], row["teacher_predicted"]) == ("", "")
                continue
            said = teacher[row["crop"]]
            assert row["teacher"] == "Teacher at 10×"
            assert row["teacher_predicted"] == max(said, key=said.__getitem__)
            assert float(row["teacher_probability"]) == max(said.values())
            assert float(row["teacher_probability_of_truth"]) == said[truth]


def test_the_page_shows_the_best_student_with_pictures_of_its_crops(out: Path, store: Path) -> None:
    scores = {row["runs"]: float(row["f1"]) for row in read(out / "tables" / "scores.csv")}
    best = max((runs for runs in scores if runs.startswith("kd")), key=scores.__getitem__)
    assert best == " + ".join(STUDENT)
    crops = [row["crop"] for row in read(out / "tables" / "mistakes.csv") if row["runs"] == best]
    boxes = {row["crop"]: (n, row) for n, row in enumerate(read(store / "crops.csv"))}
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    images = page.all("img")
    assert len(images) == MOST
    for number, (crop, image) in enumerate(zip(crops, images, strict=True), start=1):
        jpeg = (out / "mistakes" / f"{number:03}.jpg").read_bytes()
        kind, data = str(image["src"]).split(",")
        assert kind == "data:image/jpeg;base64"
        assert base64.b64decode(data) == jpeg
        picture = Image.open(io.BytesIO(jpeg))
        place, box = boxes[crop]
        width, height = int(box["width"]), int(box["height"])
        assert max(picture.size) == SIDE
        assert picture.size[0] / picture.size[1] == pytest.approx(width / height, rel=0.02)
        assert picture.size == (int(str(image["width"])), int(str(image["height"])))
        assert len(jpeg) < 20_000
        pixels = np.asarray(picture, dtype=np.float64)
        assert np.abs(pixels[2:8, 2:8].mean((0, 1)) - color(place)).max() < 4
        middle = pixels[picture.size[1] // 2, picture.size[0] // 2]
        assert np.abs(middle + 60 - color(place)).max() < 4
        assert str(image["alt"]).startswith(f"Crop {crop}, ")
    assert "KD (ADv1) at 1.25× is wrong about" in page.text
    assert "no picture" not in page.text


def test_crops_are_linked_to_the_preview(out: Path, preview: Path) -> None:
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    links = [str(a["href"]) for a in page.all("a") if "preview" in str(a.get("href"))]
    best = " + ".join(STUDENT)
    crops = [row["crop"] for row in read(out / "tables" / "mistakes.csv") if row["runs"] == best]
    assert links == [f"../../a%20preview/index.html#crop-{crop}" for crop in crops]
    assert (out / "../../a preview/index.html").resolve() == preview.resolve() / "index.html"
    markdown = (out / "report.md").read_text(encoding="utf-8")
    assert f"[{crops[0]}]({links[0]})" in markdown
    tables = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    texts = [token.content for token in tables if token.type == "inline"]
    start = texts.index("its teacher") - 4
    cells = texts[start : start + 6 * (1 + MOST)]
    assert cells[5::6] == ["picture", *(f"![{crop}](mistakes/{n:03}.jpg)"
                                        for n, crop in enumerate(crops, start=1))]  # fmt: skip


def test_a_folder_that_is_no_preview_of_these_crops_is_refused(
    made: Path, store: Path, tmp_path: Path
) -> None:
    arguments = ("report", made / "teacher", store, "--out", tmp_path / "out", "--preview")
    refusals = {"<p>a page</p>": "is no preview", "wsistore preview": "is of other crops"}
    for text, words in refusals.items():
        (tmp_path / "index.html").write_text(text)
        said = distill(*arguments, tmp_path)
        assert said.exit_code == 2
        assert words in said.output
        assert not (tmp_path / "out").exists()


def test_missing_pixels_are_said_and_hide_no_mistake(made: Path, tmp_path: Path) -> None:
    said = done("report", made / "teacher", made / "store", "--out", tmp_path / "out",
                "--mistakes", 2)  # fmt: skip
    assert "pictures of mistakes are missing: " in said.output
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert "2 of 2 pictures are missing: " in page.text
    assert str(made) not in page.text
    assert page.text.count("no picture") == 2
    assert not (tmp_path / "out" / "mistakes").exists()


def test_none_are_named_where_none_are_asked_for(made: Path, tmp_path: Path) -> None:
    said = done("report", made / "teacher", made / "store", "--out", tmp_path / "out",
                "--mistakes", 0)  # fmt: skip
    assert "missing" not in said.output
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "mistakes" not in text.split("</style>")[1]
    assert not (tmp_path / "out" / "tables" / "mistakes.csv").exists()


def test_a_run_without_mistakes_says_so(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    run = make_run(tmp_path / "teacher", store, "teacher", "10x", 60.0)
    done("report", run, store, "--out", tmp_path / "out")
    page = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert "Teacher at 10× is wrong about 0 of 120 labelled crops." in page.text
    assert read(tmp_path / "out" / "tables" / "mistakes.csv") == []
