"""JSON and TOML of files: what is no number or nested too deep is one sentence, wherever it is."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import wsistore
from tests.wsistore.store.test_crop import telling_slide
from wsistore.build.builder import build
from wsistore.build.ingest import BuildSettings
from wsistore.cli.main import main
from wsistore.files.parsing import DEEPEST, ParseError, parse_json, parse_toml
from wsistore.split.files import read_record

DEEP = "[" * 100_000
"""Beyond the stack of any parser."""


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def test_values_come_back() -> None:
    assert parse_json('{"a": [1, 2.5, null, "µ"]}') == {"a": [1, 2.5, None, "µ"]}
    assert parse_json("µ".join('""').encode("utf-16")) == "µ"
    assert parse_toml("a = [1, 2.5]\n[b]\nc = true\n") == {"a": [1, 2.5], "b": {"c": True}}


def test_depth_has_one_limit() -> None:
    parse_json(nested(DEEPEST))
    for text in (nested(DEEPEST + 1), DEEP, '{"a":' * 100_000, '{"a":[' * 60 + "]}" * 60):
        with pytest.raises(ParseError, match="nested deeper than 100 levels"):
            parse_json(text)
    for text in (f"a = {nested(DEEPEST)}", f"a = {DEEP}", "a = " + "{b = " * 50_000):
        with pytest.raises(ParseError, match="nested deeper than 100 levels"):
            parse_toml(text)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match=f"holds {text}, which is no"):
        parse_json(f'{{"a": [{text}]}}')


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
def test_toml_too(text: str) -> None:
    with pytest.raises(ParseError, match=f"holds {text}, which is no"):
        parse_toml(f"a = {text}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a slide that is stored, and one that failed."""
    folder = tmp_path_factory.mktemp("parsing")
    bad = folder / "b.tif"
    bad.write_bytes(b"nothing")
    settings = BuildSettings(("10x", "5x"), regions="whole")
    slides = [telling_slide(folder / "a.tif", 300, 300), bad]
    outcomes = {r.record.slide.outcome for r in build(slides, folder / "s", settings, workers=0)}
    assert outcomes == {"ok", "failed"}
    return folder


@pytest.fixture
def store(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "copy") / "s"


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("zarr.json", lambda store: wsistore.open(store)),
        ("slides/a/0/zarr.json", lambda store: wsistore.open(store)["a/0"].grid("5x")),
        ("slides/a/0/5x/zarr.json", lambda store: wsistore.open(store)["a/0"]["5x"]),
        ("splits/main.json", lambda store: read_record(store, "main")),
    ],
)
def test_deep_metadata_of_a_store_is_one_sentence(
    store: Path, file: str, read: Callable[[Path], object]
) -> None:
    path = store / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(DEEP)
    with pytest.raises(wsistore.StoreError) as caught:
        read(store)
    assert str(path.parent) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["zarr.json", "slides/a/zarr.json"])
def test_the_build_ends_with_a_sentence_on_deep_metadata(store: Path, file: str) -> None:
    (store / file).write_text(DEEP)
    arguments = ["build", str(store.parent / "a.tif"), "--out", str(store), "--levels", "10x,5x"]
    done = CliRunner().invoke(main, [*arguments, "--regions", "whole"])
    assert done.exit_code == 1
    assert "nested deeper" in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)


@pytest.mark.parametrize("value", ["0", "-0.5", "inf", "nan", "", "wide"])
@pytest.mark.parametrize(
    ("table", "column"),
    [("slides", "mpp"), ("crops", "mpp"), ("levels", "mpp"), ("levels", "factor")],
)
def test_a_scale_of_a_table_is_above_0(store: Path, table: str, column: str, value: str) -> None:
    path = store / f"{table}.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows.loc[0, column] = value
    rows.to_csv(path, index=False)
    with pytest.raises(wsistore.StoreError, match=f"{column} of row 1 is"):
        getattr(wsistore.open(store), table)


def test_a_slide_that_failed_has_no_scale(store: Path) -> None:
    assert wsistore.open(store).slides["mpp"].tolist() == [0.5, 0.0]


@pytest.mark.parametrize("scale", [0, -1.0, None, "1"])
def test_the_scale_of_an_image_is_above_0(store: Path, scale: object) -> None:
    path = store / "slides" / "a" / "0" / "zarr.json"
    metadata = json.loads(path.read_text())
    (image,) = metadata["attributes"]["ome"]["multiscales"]
    image["datasets"][1]["coordinateTransformations"][0]["scale"][1] = scale
    path.write_text(json.dumps(metadata))
    with pytest.raises(wsistore.StoreError, match="has no usable scale of 5x"):
        wsistore.open(store)["a/0"].read("5x", (0, 0, 50, 50))
