"""A store's tables as text: what pandas would write of the same rows, and the rows again."""

from dataclasses import asdict, fields, replace
from typing import Any

import pandas as pd
import pytest
import zarr

from wsistore.storage.base import METADATA, LocalRoot, group_metadata
from wsistore.tables.csv import table_rows, table_text
from wsistore.tables.records import CropRow, LevelRow, SlideRow

SLIDE = SlideRow(
    "ä-1", "ok", file="ä, \"1\".svs", bytes=1 << 40, fingerprint="0" * 64, patient="001",
    label="NA", reader="tiffslide", vendor="aperio", width=2220, height=2967, mpp=0.1 + 0.2,
    mpp_source="file", objective_power=20.0, crops=1, glass="#f0f0f0", warning="a; b\nc",
)  # fmt: skip
FAILED = SlideRow("b", "failed", 'it says "no", twice', "b.svs")
CROP = CropRow("a/0", "a", "p", "", 0, 1, 2, 3, 1e-07, 0.25, "tumor", "")
LEVEL = LevelRow("a/0", "10x", 3, 2, 2, 0.998, *[1 << 70] * 6, bytes=512)


def by_pandas(kind: type, rows: list[Any]) -> str:
    table = pd.DataFrame([asdict(row) for row in rows], columns=[f.name for f in fields(kind)])
    if kind is LevelRow:
        table["bytes"] = table["bytes"].astype("Int64")
    return table.to_csv(index=False, lineterminator="\n")


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (SlideRow, [SLIDE, FAILED]),
        (SlideRow, [SLIDE]),
        (SlideRow, [FAILED]),
        (SlideRow, []),
        (SlideRow, [replace(SLIDE, mpp=1, objective_power=20), FAILED]),
        (SlideRow, [replace(SLIDE, mpp=1, objective_power=20)]),
        (CropRow, [CROP, replace(CROP, tissue_mm2=None, annotation_class=None)]),
        (CropRow, [replace(CROP, tissue_mm2=None)]),
        (LevelRow, [LEVEL, replace(LEVEL, factor=4, bytes=None)]),
        (LevelRow, [LEVEL, replace(LEVEL, factor=4.008)]),
    ],
)
def test_tables_are_those_that_pandas_writes(kind: type, rows: list[Any]) -> None:
    assert table_text(kind, rows) == by_pandas(kind, rows)


def test_rows_come_back_as_they_were() -> None:
    rows = [SLIDE, FAILED]
    assert table_rows(SlideRow, table_text(SlideRow, rows)) == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slide,outcome\na\n", "line 2"),
        ("slide,outcome\na,ok,more\n", "line 2"),
        ("slide,outcome,width\na,ok,wide\n", "wide"),
        ("slide,outcome,unheard_of\na,ok,1\n", "unheard_of"),
        ("slide\na\n", "outcome"),
        ('slide,outcome\n"a,ok\n', "line 2"),
    ],
)
def test_a_table_of_other_rows_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        table_rows(SlideRow, text)


def test_a_group_is_written_as_zarr_writes_it(tmp_path: Any) -> None:
    attributes = {"wsistore": {"format": 1, "levels": ["10x"], "name": "ä", "mpp": 8.0}}
    zarr.create_group(store=str(tmp_path / "zarr"), attributes=attributes)
    written = (LocalRoot(tmp_path / "zarr") / METADATA).read_text()
    assert group_metadata(attributes) == written
