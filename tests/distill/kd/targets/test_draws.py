"""Draws come back from draws.csv to the bit, from format 1, and after a new operation."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from distill.arrays import create
from distill.data.augmentation import (
    OPERATIONS,
    AugmentationParams,
    ColorOperation,
    apply,
    sample_params,
)
from distill.data.augmentation_settings import AugmentationSettings
from distill.data.stains import SCALES, SHIFTS
from distill.errors import TargetsError, UsageError
from distill.kd.targets import arrays
from distill.kd.targets.draws import decode, draws_csv, read_array, read_table, same_draws
from distill.kd.targets.reader import TargetsReader
from distill.kd.targets.schema import CROPS_CSV, KEY, CropTargets, crops_csv
from distill.kd.targets.writer import TargetsWriter
from tests.distill.kd.targets.test_reader import ABOUT, LESSONS, contents, said, write

FORMAT_1 = ("brightness", "contrast", "saturation", "hue")
HEADER = "plain,order,brightness,contrast,saturation,hue,hflip,vflip,turns"
DRAWS: list[AugmentationParams | None] = [
    *(replace(sample_params(3, 7, index), turns=index % 4) for index in range(40)),
    None,
    AugmentationParams((), True, False, 3),
    AugmentationParams((("hue", -1e-17), ("contrast", 1 / 3)), False, True, 0),
]


def table(folder: Path, content: bytes) -> NDArray[np.void]:
    (folder / "draws.csv").write_bytes(content)
    return read_table(folder, hashlib.sha256(content).hexdigest())


def rows_of_format_1(made: Sequence[AugmentationParams | None]) -> NDArray[np.float64]:
    """Return draws as the first version of distill stored them."""
    rows: list[list[float]] = []
    for one in made:
        if one is None:
            rows.append([1, 1, 1, 1, 0, 0, 1, 2, 3, 0, 0, 0])
            continue
        strengths = [one.strength(name) for name in FORMAT_1]
        order = [FORMAT_1.index(name) for name in one.order]
        rows.append([0, *strengths, *order, one.hflip, one.vflip, one.turns])
    return np.array(rows, np.float64)


def begun_in_format_1(path: Path) -> None:
    """Make the folder of targets that were begun now into what the first version had written."""
    file = path / "zarr.json"
    group = json.loads(file.read_text())
    group["attributes"][KEY] = {"format": 1, **asdict(ABOUT)}
    file.write_text(json.dumps(group))
    (path / "draws.csv").unlink()
    rows = rows_of_format_1([one for lesson in LESSONS for one in lesson.draws])
    array = create(path / "draws", rows.shape, "float64", ("view", "parameter"))
    array[:] = rows


def grayer(image: torch.Tensor, strength: float) -> torch.Tensor:
    return image * (1 - strength) + strength / 2


@pytest.fixture
def fifth(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation more, in the one list of them."""
    monkeypatch.setitem(OPERATIONS, "gray", ColorOperation(grayer, 0.0, 0.3))


def test_draws_survive_their_table_to_the_bit(tmp_path: Path) -> None:
    rows = table(tmp_path, draws_csv(DRAWS))
    assert [decode(row) for row in rows] == DRAWS
    assert decode(rows[0], 9).epoch == 9
    assert same_draws(rows, DRAWS)
    assert not same_draws(rows, DRAWS[:-1])
    assert not same_draws(rows, [*DRAWS[:-1], None])
    text = (tmp_path / "draws.csv").read_text().splitlines()
    assert text[0] == HEADER
    assert text[41] == "1,,,,,,0,0,0"
    assert text[43] == "0,hue contrast,,0.3333333333333333,,-1e-17,0,1,0"


def test_no_draws_are_a_header_alone(tmp_path: Path) -> None:
    assert len(table(tmp_path, draws_csv([]))) == 0
    assert len(read_array(tmp_path, np.empty((0, 12)))) == 0


def test_draws_of_format_1_are_read_as_they_were_meant(tmp_path: Path) -> None:
    made = DRAWS[:41]  # those that format 1 can say
    rows = read_array(tmp_path, rows_of_format_1(made))
    assert [decode(row) for row in rows] == made


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, 2), (1, np.nan), (5, 4), (5, 0.5), (9, 0.5), (10, 2), (11, 4), (11, np.nan)],
)
def test_a_row_of_format_1_that_is_no_draw_is_named(
    tmp_path: Path, column: int, value: float
) -> None:
    values = rows_of_format_1([None, AugmentationParams(sample_params(0, 1, 1).colors, 0, 0, 0)])
    values[1, 6:9] = [number for number in range(4) if number != values[1, 5]]
    assert len(read_array(tmp_path, values)) == 2
    values[1, column] = value
    with pytest.raises(TargetsError, match="draws is damaged: view 1 is no draw"):
        read_array(tmp_path, values)
    with pytest.raises(TargetsError, match=r"draws has shape \(2, 11\)"):
        read_array(tmp_path, values[:, 1:])


@pytest.mark.parametrize(
    "row",
    [
        "2,,,,,,0,0,0",
        ",,,,,,0,0,0",
        "1,hue,,,,0.1,0,0,0",
        "1,,,,,0.1,0,0,0",
        "1,,,,,,1,0,0",
        "0,hue,,,,,0,0,0",
        "0,hue,,,,inf,0,0,0",
        "0,hue,1.0,,,0.1,0,0,0",
        "0,hue hue,,,,0.1,0,0,0",
        "0,,,,,,0.5,0,0",
        "0,,,,,,0,-1,0",
        "0,,,,,,0,0,4",
        "0,,,,,,0,0,",
    ],
)
def test_a_row_that_is_no_draw_is_named(tmp_path: Path, row: str) -> None:
    content = f"{HEADER}\n0,hue,,,,0.1,1,0,3\n{row}\n".encode()
    with pytest.raises(TargetsError, match=r"draws\.csv is damaged: view 1 is no draw"):
        table(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEADER}\n0,hue,,,,much,0,0,0\n", "cannot be read .*much"),
        (f"{HEADER}\n0,,,,,,0,0,0,1\n", "its rows have more cells than its header"),
        ("plain,hue,hflip,vflip,turns\n", "it has no column order"),
        ("", "cannot be read"),
        ("plain,order,glow,hflip,vflip,turns\n0,glow,1,0,0,0\n", "view 0 has .* 'glow'"),
        ("plain,order,hflip,vflip,turns\n0,hue,0,0,0\n", "view 0 is no draw"),
    ],
)
def test_what_is_no_table_of_draws_is_one_sentence(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(TargetsError, match=message):
        table(tmp_path, content.encode())


def test_a_table_that_was_changed_is_never_a_draw(tmp_path: Path) -> None:
    write(tmp_path / "t")
    file = tmp_path / "t" / "draws.csv"
    text = file.read_text()
    file.write_text(text.replace("0.", "1.", 1))
    with pytest.raises(TargetsError, match=r"zarr\.json has another SHA-256 of it"):
        TargetsReader(tmp_path / "t")
    with pytest.raises(UsageError, match=r"is damaged .* replace it with --overwrite"):
        arrays.require_same(tmp_path / "t", ABOUT, LESSONS)
    file.unlink()
    with pytest.raises(TargetsError, match=r"draws\.csv cannot be read"):
        TargetsReader(tmp_path / "t")


def test_as_many_draws_as_views(tmp_path: Path) -> None:
    write(tmp_path / "t")
    (tmp_path / "t" / CROPS_CSV).write_bytes(crops_csv(LESSONS[:2]))
    with pytest.raises(TargetsError, match="7 draws of 6 views"):
        TargetsReader(tmp_path / "t")


def test_a_pass_that_format_1_began_goes_on_in_it_and_may_be_found_again(tmp_path: Path) -> None:
    for name, stop in (("whole", 0), ("t", 3)):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / name, stop=stop)
        begun_in_format_1(tmp_path / f"{name}.part")
        write(tmp_path / name)
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")
    assert not (tmp_path / "t" / "draws.csv").exists()
    assert json.loads((tmp_path / "t" / "zarr.json").read_text())["attributes"][KEY]["format"] == 1
    arrays.require_same(tmp_path / "t", ABOUT, LESSONS)
    old = TargetsReader(tmp_path / "t")
    write(tmp_path / "new")
    new = TargetsReader(tmp_path / "new")
    assert old.about == new.about
    for lesson in LESSONS:
        for epoch in (1, 2, 3):
            assert old.view(lesson.crop, epoch) == new.view(lesson.crop, epoch)
    others = [replace(LESSONS[0], draws=LESSONS[0].draws[::-1]), *LESSONS[1:]]
    with pytest.raises(UsageError, match="made with draws others"):
        arrays.require_same(tmp_path / "t", ABOUT, others)


@pytest.mark.parametrize("number", [1, 2])
def test_a_fifth_operation_leaves_stored_targets_as_they_were(
    tmp_path: Path, number: int, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "t", stop=2)
    if number == 1:
        begun_in_format_1(tmp_path / "t.part")
    image = torch.rand(3, 17, 13)
    wanted = [None if one is None else apply(one, image) for one in LESSONS[0].draws]
    request.getfixturevalue("fifth")
    assert "gray" in sample_params(0, 1, 0).order
    write(tmp_path / "t")  # goes on with the draws that it began with
    assert b"gray" not in b"".join(contents(tmp_path / "t").values())
    targets = TargetsReader(tmp_path / "t")
    for view, (one, before) in enumerate(zip(LESSONS[0].draws, wanted, strict=True)):
        place, found = targets.view("s/0", view + 1)
        assert (place, found) == (view, one)
        assert torch.equal(apply(found, image), before)
    arrays.require_same(tmp_path / "t", ABOUT, LESSONS)


@pytest.mark.usefixtures("fifth")
def test_targets_of_today_hold_a_fifth_operation_and_yesterday_refuses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tuple(sample_params(0, view, 0) for view in (1, 2, 3))
    lesson = CropTargets("s/0", 2, 5, made)
    with TargetsWriter(tmp_path / "t", ABOUT, [lesson]) as writer:
        for of, one in writer.pending():
            writer.add(said(of, one))
    targets = TargetsReader(tmp_path / "t")
    assert tuple(targets.view("s/0", epoch)[1] for epoch in (1, 2, 3)) == made
    monkeypatch.delitem(OPERATIONS, "gray")
    with pytest.raises(TargetsError, match="view 0 has the colour operation 'gray'; this version"):
        TargetsReader(tmp_path / "t")


def test_stain_jitter_has_columns_where_there_is_any(tmp_path: Path) -> None:
    how = AugmentationSettings(hed_jitter=0.05, hue=0.0)
    made = [*DRAWS, *(sample_params(1, 1, index, how) for index in range(9))]
    rows = table(tmp_path, draws_csv(made))
    assert [decode(row) for row in rows] == made
    header = (tmp_path / "draws.csv").read_text().splitlines()[0]
    stains = ",".join((*SCALES, *SHIFTS))
    assert header == HEADER.replace(",hflip", f",{stains},hflip")
