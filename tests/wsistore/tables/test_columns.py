"""A damaged table of a store is an error that names it, never another table or a traceback."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import wsistore
from tests.behavior.fuzzing.stores import small_store
from wsistore.cli.main import main
from wsistore.errors import StoreError
from wsistore.verify import verify


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return small_store(tmp_path / "store")


def replaced(text: str, column: str, value: str) -> str:
    """Put a value into the first row."""
    header, row, *rest = text.splitlines()
    cells = row.split(",")
    cells[header.split(",").index(column)] = value
    return "\n".join((header, ",".join(cells), *rest)) + "\n"


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("crops", "x", "-1", "its column x holds a number below 0"),
        ("crops", "width", "0", "its column width holds a number below 1"),
        ("crops", "height", "12.5", "its column height holds something else than whole numbers"),
        ("crops", "tissue_mm2", "inf", "its column tissue_mm2 holds a number that is not finite"),
        ("levels", "width", "x", "its column width holds something else than whole numbers"),
        ("levels", "sum_r", "", "its column sum_r has an empty cell"),
        ("slides", "outcome", "good", "its column outcome holds something else than ok, empty"),
        ("slides", "crops", "True", "its column crops holds something else than whole numbers"),
    ],
)
def test_a_cell_that_cannot_be(store: Path, table: str, column: str, value: str, said: str) -> None:
    file = store / f"{table}.csv"
    file.write_text(replaced(file.read_text(), column, value))
    opened = wsistore.open(store)
    with pytest.raises(StoreError, match=f"{table}.csv: {said}.*wsistore build"):
        getattr(opened, table)


@pytest.mark.parametrize(
    ("file", "column", "read"),
    [
        ("crops.csv", "crop", lambda store: store.crops),
        ("slides.csv", "fingerprint", lambda store: store.slides),
        ("levels.csv", "sumsq_b", lambda store: store.levels),
        ("splits/main.csv", "subset", lambda store: store.split("main")),
    ],
)
def test_a_column_that_is_gone(
    store: Path, file: str, column: str, read: Callable[[wsistore.Store], object]
) -> None:
    path = store / file
    header, _, rest = path.read_text().partition("\n")
    path.write_text(f"{header.replace(column, '☃')}\n{rest}", encoding="utf-8")
    with pytest.raises(StoreError, match=f"lacks the column {column}"):
        read(wsistore.open(store))


@pytest.mark.parametrize("words", [("info",), ("preview",), ("split", "--name", "new")])
def test_commands_say_it_in_a_sentence(store: Path, words: tuple[str, ...], tmp_path: Path) -> None:
    (store / "crops.csv").write_text("☃\n1\n", encoding="utf-8")
    out = ("--out", str(tmp_path / "page")) if words == ("preview",) else ()
    result = CliRunner().invoke(main, [words[0], str(store), *words[1:], *out])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "crops.csv: lacks the column crop and" in result.output


@pytest.mark.parametrize(
    ("key", "value"), [("shape", [3, 72, 2**31]), ("shape", [3, 72, 79]), ("data_type", "int8")]
)
def test_an_array_of_another_size_or_type_is_no_level(store: Path, key: str, value: object) -> None:
    file = store / "slides/a/0/10x/zarr.json"
    metadata = json.loads(file.read_text())
    assert metadata["shape"] == [3, 72, 80]
    file.write_text(json.dumps({**metadata, key: value}))
    opened = wsistore.open(store)
    with pytest.raises(StoreError, match=r"is an array .* not \(3, 72, 80\) of uint8"):
        opened["a/0"]["10x"]
    assert np.asarray(opened["b/0"]["10x"][:]).shape == (3, 72, 80)


@pytest.mark.parametrize("codecs", [[{"name": "sharding_indexed", "configuration": {"☃": 1}}], 1])
def test_an_array_whose_metadata_zarr_cannot_take(store: Path, codecs: object) -> None:
    file = store / "slides/a/0/10x/zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "codecs": codecs}))
    with pytest.raises(StoreError, match="10x: cannot be opened"):
        wsistore.open(store)["a/0"]["10x"]


def test_verify_notes_a_split_that_was_changed_by_hand(store: Path) -> None:
    assert verify(store, workers=0).notes == ()
    file = store / "splits" / "main.csv"
    file.write_text(file.read_text().replace("train", "dev"))
    report = verify(store, workers=0)
    assert report.whole
    assert report.notes == ("splits/main.csv is not as wsistore wrote it",)
