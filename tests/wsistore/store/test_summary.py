"""`wsistore info` against a recomputation from the CSV files with numpy and the csv module."""

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

import wsistore
from wsistore.build.builder import prepare
from wsistore.build.settings import BuildSettings
from wsistore.cli.main import main
from wsistore.formatting.texts import size_text
from wsistore.levels.magnification import levels_of
from wsistore.tables.index import write_index
from wsistore.tables.records import CropRow, LevelRow, SlideRecord, SlideRow

LEVELS = ("5x", "1.25x")
SUBSETS = ("train", "test", "adv1")


def record(n: int, rng: np.random.Generator) -> SlideRecord:
    """A slide of up to three crops; every ninth failed, every seventh empty, some unlabelled."""
    slide, patient = f"s{n:02}", f"p{n // 2}"
    if n % 9 == 8:
        return SlideRecord(SlideRow(slide, "failed", "it is broken", patient=patient))
    mpp = float(rng.choice([0.25, 0.26, 0.5]))
    count = 0 if n % 7 == 6 else int(rng.integers(1, 4))
    label = "" if n % 5 == 4 else ("benign", "malign")[n // 2 % 2]
    crops, levels = [], []
    for k in range(count):
        w, h = (int(side) for side in rng.integers(300, 4000, 2))
        crops.append(CropRow(f"{slide}/{k}", slide, patient, label, 0, 0, w, h, mpp, None))
        for level in levels_of(mpp, LEVELS):
            width, height = level.size(w, h)
            size = int(rng.integers(500, 9000))
            levels.append(
                LevelRow(f"{slide}/{k}", level.name, height, width, level.factor, level.mpp,
                         1, 2, 3, 4, 5, 6, size)
            )  # fmt: skip
    row = SlideRow(
        slide, "ok" if count else "empty", "" if count else "no tissue was found", patient=patient,
        label=label, width=9000, height=8000, mpp=mpp, crops=count, glass="#f0f0f0",
        mpp_source="file" if n % 3 else "objective power", warning="odd" if n == 3 else "",
    )  # fmt: skip
    return SlideRecord(row, tuple(crops), tuple(levels))


def write_split(store: Path) -> None:
    """A split of one's own: the third subset is not one of wsistore's, labels may be empty."""
    rows = table(store, "crops.csv")
    with (store / "splits" / "mine.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["crop", "slide", "patient", "label", "subset"])
        for row in rows[::-1]:
            subset = SUBSETS[int(row["patient"][1:]) % 3]
            writer.writerow([row["crop"], row["slide"], row["patient"], row["label"], subset])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("info") / "store"
    path.mkdir()
    prepare(path, BuildSettings(LEVELS))
    rng = np.random.default_rng(0)
    write_index(path, {f"s{n:02}": record(n, rng) for n in range(40)})
    write_split(path)
    return path


def table(store: Path, name: str) -> list[dict[str, str]]:
    with (store / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def info(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["info", *map(str, arguments)])


def shape(value: Any) -> Any:
    """Keys and types of JSON; of a list, those of its first element."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return type(value).__name__


def test_sizes_scales_and_storage_are_those_of_the_tables(store: Path) -> None:
    found = {level.level: level for level in wsistore.open(store).info().levels}
    assert list(found) == list(LEVELS)
    for name, level in found.items():
        rows = [row for row in table(store, "levels.csv") if row["level"] == name]
        assert level.crops == len(rows)
        assert level.bytes == sum(int(row["bytes"]) for row in rows)
        assert level.pixels == sum(int(row["height"]) * int(row["width"]) for row in rows)
        assert level.unrecorded == 0
        for side, spread in (("height", level.height), ("width", level.width)):
            values = [int(row[side]) for row in rows]
            assert spread is not None
            got = (spread.minimum, spread.q1, spread.median, spread.q3, spread.maximum)
            np.testing.assert_allclose(got, np.percentile(values, [0, 25, 50, 75, 100]), rtol=1e-12)
        by_slide = {row["crop"].split("/")[0]: float(row["mpp"]) for row in rows}
        deviation = np.array(list(by_slide.values())) / level.nominal_mpp - 1
        assert level.deviation is not None
        assert level.deviation.median == pytest.approx(np.median(deviation), abs=1e-12)
        assert level.deviation.maximum == pytest.approx(deviation.max(), abs=1e-12)


def test_outcomes_reasons_sources_and_classes(store: Path) -> None:
    found, slides = wsistore.open(store).info(), table(store, "slides.csv")
    assert found.outcomes == Counter(row["outcome"] for row in slides)
    assert [(p.slide, p.outcome, p.reason) for p in found.problems] == [
        (row["slide"], row["outcome"], row["reason"]) for row in slides if row["outcome"] != "ok"
    ]
    read = [row for row in slides if row["outcome"] != "failed"]
    assert found.mpp_sources == Counter(row["mpp_source"] for row in read)
    assert found.warnings == 1
    crops = table(store, "crops.csv")
    assert [c.label for c in found.classes] == ["benign", "malign", None]
    for part in found.classes:
        rows = [row for row in crops if row["label"] == (part.label or "")]
        patients, of = {row["patient"] for row in rows}, {row["slide"] for row in rows}
        assert (part.patients, part.slides, part.crops) == (len(patients), len(of), len(rows))


def test_splits_count_patients_once_and_every_crop(store: Path) -> None:
    (split,) = wsistore.open(store).info().splits
    assert split.subsets == ("train", "test", "adv1")
    assert split.labels == ("benign", "malign", None)
    rows = table(store, "splits/mine.csv")
    assert len(split.counts) == len(split.subsets) * 4
    for count in split.counts:
        part = [
            row for row in rows
            if row["subset"] == count.subset
            and (count.total or row["label"] == (count.label or ""))
        ]  # fmt: skip
        assert count.crops == len(part)
        assert count.patients == len({row["patient"] for row in part})
    totals = sum(count.crops for count in split.counts if count.total)
    assert totals == len(rows) == len(table(store, "crops.csv"))


def test_a_store_tells_the_same_of_itself(store: Path) -> None:
    told = json.loads(json.dumps(wsistore.open(store).info().to_json()))
    assert told == json.loads(info(store, "--json").stdout)


def test_the_json_keeps_its_schema(store: Path) -> None:
    result = info(store, "--json")
    assert result.exit_code == 0
    spread = dict.fromkeys(("minimum", "q1", "median", "q3", "maximum"), "float")
    assert shape(json.loads(result.output)) == {
        "store": "str", "format": "int", "regions": "str", "exact_mpp": "bool", "apply_icc": "bool",
        "outcomes": {"ok": "int", "empty": "int", "failed": "int"},
        "problems": [{"slide": "str", "outcome": "str", "reason": "str"}],
        "warnings": "int", "duplicates": [], "patients": "int", "crops": "int",
        "classes": [{"label": "str", "patients": "int", "slides": "int", "crops": "int"}],
        "mpp_sources": {"file": "int", "objective power": "int"},
        "slide_mpp": spread,
        "levels": [{
            "level": "str", "nominal_mpp": "float", "crops": "int", "height": spread,
            "width": spread, "mpp": spread, "deviation": spread, "pixels": "int", "bytes": "int",
            "unrecorded": "int",
        }],
        "splits": [{
            "name": "str", "subsets": ["str"], "labels": ["str"],
            "counts": [{"subset": "str", "label": "str", "total": "bool", "patients": "int",
                        "crops": "int"}],
            "excluded": "int", "classes": {"exclude": [], "merge": {}},
        }],
    }  # fmt: skip


def test_the_text_shows_the_numbers(store: Path) -> None:
    output = info(store).output
    assert "40 slides (31 ok, 5 empty, 4 failed)" in output
    assert "4 failed: it is broken (s08, s17, s26, …)" in output
    assert "Split mine: patients / crops" in output
    assert "slides with a warning: 1" in output
    level = wsistore.open(store).info().levels[0]
    assert level.height is not None
    assert level.width is not None
    largest = f"{level.height.maximum:.0f} × {level.width.maximum:.0f}"
    between = f"{level.height.q1:.0f}–{level.height.q3:.0f}"
    assert re.search(rf"│ 5x +│ +{level.crops} │ .* │ +{largest} │ +{between} │", output)
    assert re.search(rf"│ 5x +│ +2 │ .* │ +{size_text(level.bytes)} │", output)
    assert (
        f"all levels: {size_text(sum(n.bytes for n in wsistore.open(store).info().levels))}"
        in output
    )


def test_an_empty_store_has_no_spreads(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    prepare(tmp_path / "store", BuildSettings(LEVELS))
    write_index(tmp_path / "store", {})
    found = json.loads(info(tmp_path / "store", "--json").output)
    assert found["levels"][0]["height"] is None
    assert found["slide_mpp"] is None
    assert info(tmp_path / "store").exit_code == 0


def test_a_store_from_before_bytes_were_recorded_says_so(store: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "splits").mkdir(parents=True)
    for name in ("zarr.json", "slides.csv", "crops.csv"):
        (old / name).write_bytes((store / name).read_bytes())
    rows = table(store, "levels.csv")
    with (old / "levels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [key for key in rows[0] if key != "bytes"])
        writer.writeheader()
        writer.writerows({k: v for k, v in row.items() if k != "bytes"} for row in rows)
    assert [level.unrecorded for level in wsistore.open(old).info().levels] == [len(rows) // 2] * 2
    output = info(old).output
    assert f"{len(rows)} arrays were stored before their bytes were recorded" in output
    assert "all levels" not in output


def test_recorded_bytes_are_those_of_the_files(tmp_path: Path) -> None:
    pixels = np.full((900, 900, 3), 242, np.uint8)
    pixels[200:700, 100:800] = np.random.default_rng(0).integers(90, 200, (500, 700, 3))
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, tile=(256, 256), photometric="rgb", metadata=None,
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    result = CliRunner().invoke(
        main, ["build", str(tmp_path / "a.tif"), "--out", str(tmp_path / "store")]
    )
    assert result.exit_code == 0, result.output
    store = wsistore.open(tmp_path / "store")
    for row in store.levels.itertuples():
        folder = store.path / "slides" / str(row.crop) / str(row.level)
        assert row.bytes == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) > 0


def test_no_store_is_one_sentence_and_exit_1(tmp_path: Path) -> None:
    result = info(tmp_path)
    assert result.exit_code == 1
    assert result.output == (f"Error: {tmp_path}: is not a store; make one with 'wsistore build'\n")


def test_info_waits_for_no_compiler() -> None:
    # numba, scipy and scikit-image are half a second that a question to three tables need not take
    code = "import sys, wsistore.cli.info; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"numba", "scipy", "skimage"} & set(loaded.stdout.split())


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_600, "1 MB"), (1.5e9, "1.5 GB"),
     (2e12, "2 TB"), (3e15, "3,000 TB")],
)  # fmt: skip
def test_sizes_read_as_people_write_them(count: float, text: str) -> None:
    assert size_text(count) == text
