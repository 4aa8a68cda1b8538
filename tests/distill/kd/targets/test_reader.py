"""Targets: what is written is what the teacher said, whole or not at all, read back strictly."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr

import wsistore
from distill.data.augmentation import AugmentationParams, sample_params
from distill.data.dataset import Sample
from distill.errors import DistillError, TargetsError, UsageError
from distill.kd.stored_teacher import StoredTeacher
from distill.kd.targets import reader
from distill.kd.targets import writer as targets_write
from distill.kd.targets.reader import TargetsReader
from distill.kd.targets.schema import CropTargets, TargetsMetadata, shape
from distill.kd.targets.target import TargetSpec, TeacherOutput
from distill.kd.targets.writer import TargetsWriter

CPU = torch.device("cpu")
ABOUT = TargetsMetadata(
    level="10x",
    mpp=1.0,
    student_level="2.5x",
    stride=32,
    classes=["a", "b"],
    channels=3,
    hint_dtype="float32",
    resizers=["max", "bicubic"],
    logits=True,
    attention=True,
    split="main",
    split_sha256="0" * 64,
    pixels_sha256="1" * 64,
    teacher={"run": "/runs/teacher"},
)
LESSONS = [
    CropTargets("s/0", 2, 5, tuple(sample_params(0, view, 0) for view in (1, 2, 3))),
    CropTargets("t/0", 4, 9, (None, *(sample_params(0, view, 1) for view in (1, 2)))),
    CropTargets("001", 1, 1, (None,)),
]


def said(lesson: CropTargets, chosen: AugmentationParams | None) -> TeacherOutput:
    """An answer that is a function of crop and draw."""
    seed = [*lesson.crop.encode(), chosen.epoch if chosen else 0]
    rng = np.random.default_rng(seed)
    rows, columns = shape(lesson.rows, lesson.columns, chosen)
    hint = torch.from_numpy(rng.random((1, 3, rows, columns), np.float32))
    attention = torch.from_numpy(rng.random((1, rows, columns), np.float32))
    logits = torch.from_numpy(rng.random((1, 2), np.float32))
    return TeacherOutput(logits, (hint,), torch.tensor(float(rng.random())), attention)


def write(
    path: Path, about: TargetsMetadata = ABOUT, stop: int | None = None, **more: bool
) -> None:
    with TargetsWriter(path, about, LESSONS, **more) as writer:
        for number, (lesson, chosen) in enumerate(writer.pending(), start=writer.done):
            if number == stop:
                raise KeyboardInterrupt
            writer.add(said(lesson, chosen))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets_write, "CHUNK", 4)
    monkeypatch.setattr(targets_write, "SHARD_BYTES", 12 * 16)


@pytest.mark.usefixtures("small_shards")
def test_what_is_read_is_what_was_said(tmp_path: Path) -> None:
    write(tmp_path / "t")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    assert not (tmp_path / "t" / "progress.safetensors").exists()
    targets = TargetsReader(tmp_path / "t")
    assert targets.about == ABOUT
    assert targets.crops == ("s/0", "t/0", "001")
    assert targets.views == 7
    assert len(list((tmp_path / "t" / "hint" / "c").rglob("*"))) > 3  # several shards
    teacher = StoredTeacher(targets, TargetSpec(attention=True), CPU)
    for index, lesson in enumerate(LESSONS):
        sample = Sample(lesson.crop, index, {})
        for chosen in lesson.draws:
            asked = replace(chosen, colors=()) if chosen else None  # only the epoch counts
            assert teacher.view(lesson.crop, asked) == chosen
            wanted = said(lesson, chosen)
            size = shape(lesson.rows, lesson.columns, chosen)
            (found,) = teacher.ask([sample], [chosen], [size])()
            assert torch.equal(found.logits, wanted.logits)
            assert torch.equal(found.maps[0], wanted.maps[0])
            assert torch.equal(found.constant, wanted.constant)
            assert torch.equal(found.attention, wanted.attention)


def test_epochs_go_round_the_views_and_validation_takes_the_plain_one(tmp_path: Path) -> None:
    write(tmp_path / "t")
    targets = TargetsReader(tmp_path / "t")
    assert [targets.view("s/0", epoch)[0] for epoch in range(1, 8)] == [0, 1, 2, 0, 1, 2, 0]
    assert [targets.view("t/0", epoch)[0] for epoch in (1, 2, 3)] == [4, 5, 4]
    assert targets.view("t/0", None) == (3, None)
    assert targets.view("001", 5) == (6, None)
    assert targets.teaches(["s/0", "t/0", "x"], plain=True) == {"t/0"}
    assert targets.teaches(["s/0", "001", "x"], plain=False) == {"s/0", "001"}
    with pytest.raises(TargetsError, match="has no plain view of crop s/0"):
        targets.view("s/0", None)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("stop", range(7))
def test_interrupted_and_resumed_is_uninterrupted(tmp_path: Path, stop: int) -> None:
    write(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "t", stop=stop)
    assert [path.name for path in tmp_path.iterdir() if path.name != "whole"] == ["t.part"]
    with pytest.raises(TargetsError, match="is not finished"):
        TargetsReader(tmp_path / "t.part")
    with TargetsWriter(tmp_path / "t", ABOUT, LESSONS) as writer:
        assert writer.done == stop
        for lesson, chosen in writer.pending():
            writer.add(said(lesson, chosen))
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.usefixtures("small_shards")
def test_a_process_that_was_killed_after_a_shard_loses_only_what_was_not_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "whole")
    with monkeypatch.context() as patch:
        saves = iter([None, None])
        real = TargetsWriter._save
        patch.setattr(TargetsWriter, "_save", lambda w: real(w) if next(saves, 1) is None else 1)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "t", stop=6)  # many shards written, only the first on record
    resumed = TargetsWriter(tmp_path / "t", ABOUT, LESSONS)
    assert 0 < resumed.done < 6
    resumed._lock.release()
    write(tmp_path / "t")
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")


def test_going_on_with_something_else_names_both_values(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "t", stop=2)
    with pytest.raises(UsageError, match=r"begun with stride 32, not 16; remove it or choose"):
        write(tmp_path / "t", replace(ABOUT, stride=16))
    with (
        pytest.raises(UsageError, match="begun with draws others, not these"),
        TargetsWriter(tmp_path / "t", ABOUT, [_other_draws(LESSONS[0]), *LESSONS[1:]]),
    ):
        pass


def _other_draws(lesson: CropTargets) -> CropTargets:
    return replace(lesson, draws=tuple(sample_params(1, view, 0) for view in (1, 2, 3)))


def test_two_writers_never_share_a_folder(tmp_path: Path) -> None:
    first = TargetsWriter(tmp_path / "t", ABOUT, LESSONS)
    for overwrite in (False, True):
        with pytest.raises(wsistore.UsageError, match=r"t is in use by another process"):
            write(tmp_path / "t", overwrite=overwrite)
    first._lock.release()
    write(tmp_path / "t")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_a_folder_that_another_process_has_taken_up_is_left_to_it(tmp_path: Path) -> None:
    """Without locks, of two writers the first stops; the folder is what the other makes of it."""
    write(tmp_path / "whole")
    first = TargetsWriter(tmp_path / "t", ABOUT, LESSONS, lock=False)
    write(tmp_path / "t", lock=False)
    with pytest.raises(DistillError, match="was removed or replaced while it was written"), first:
        pass
    assert contents(tmp_path / "t") == contents(tmp_path / "whole")


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    write(tmp_path / "t")
    before = contents(tmp_path / "t")
    with pytest.raises(UsageError, match="replace it with --overwrite"):
        write(tmp_path / "t")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "t", replace(ABOUT, stride=8), overwrite=True, stop=3)
    assert contents(tmp_path / "t") == before
    write(tmp_path / "t", replace(ABOUT, stride=8), overwrite=True)
    assert TargetsReader(tmp_path / "t").about.stride == 8
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    (tmp_path / "mine").mkdir()
    with pytest.raises(UsageError, match="holds no targets"):
        write(tmp_path / "mine", overwrite=True)


def test_half_precision_rounds_to_1_in_2048_and_refuses_what_it_cannot_hold(
    tmp_path: Path,
) -> None:
    write(tmp_path / "t", replace(ABOUT, hint_dtype="float16"))
    targets = TargetsReader(tmp_path / "t")
    number, chosen = targets.view("t/0", 1)
    found, wanted = targets.hint("t/0", number, chosen), said(LESSONS[1], chosen).maps[0]
    assert found.dtype == torch.float32
    normal = wanted > 2**-14  # below, float16 has steps of 2⁻²⁴
    assert ((found - wanted).abs() <= wanted / 2048)[normal].all()
    assert not torch.equal(found, wanted)
    large = said(LESSONS[0], LESSONS[0].draws[0])
    with (
        pytest.raises(DistillError, match="too large for float16; use --hint float32"),
        TargetsWriter(tmp_path / "u", replace(ABOUT, hint_dtype="float16"), LESSONS) as writer,
    ):
        writer.add(replace(large, maps=(large.maps[0] * 1e5,)))


def test_answers_that_are_not_finite_or_of_another_size_are_refused(tmp_path: Path) -> None:
    good = said(LESSONS[0], LESSONS[0].draws[0])
    with (
        pytest.raises(DistillError, match="gives crop s/0 a logit that is not finite"),
        TargetsWriter(tmp_path / "t", ABOUT, LESSONS) as writer,
    ):
        writer.add(replace(good, logits=torch.tensor([[np.nan, 0]])))
    with (
        pytest.raises(ValueError, match="is wanted"),
        TargetsWriter(tmp_path / "t", ABOUT, LESSONS) as writer,
    ):
        writer.add(replace(good, maps=(torch.zeros(1, 3, 9, 9),)))


def test_a_small_array_is_read_once_and_says_the_same_as_a_large_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "t")
    reads: list[object] = []
    real = zarr.Array.__getitem__

    def counted(array: zarr.Array, selection: object) -> object:
        reads.append(selection)
        return real(array, selection)

    monkeypatch.setattr(zarr.Array, "__getitem__", counted)
    said: dict[int, list[torch.Tensor]] = {}
    for limit, most in ((2**28, 2), (0, 16)):
        monkeypatch.setattr(reader, "HELD_BYTES", limit)
        targets = TargetsReader(tmp_path / "t")
        reads.clear()
        for _ in range(2):
            views = [("s/0", 1), ("s/0", 3), ("t/0", None), ("t/0", 2)]
            found = [(crop, *targets.view(crop, epoch)) for crop, epoch in views]
            said[limit] = [targets.hint(*one) for one in found]
            said[limit] += [targets.attention(*one) for one in found]
        assert len(reads) == most
    for ours, theirs in zip(*said.values(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("held", [0, 2**28])
@pytest.mark.parametrize("damage", ["lost", "short", "flipped"])
def test_a_damaged_shard_is_an_error_and_never_a_target(
    tmp_path: Path, damage: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "HELD_BYTES", held)
    write(tmp_path / "t")
    shard = tmp_path / "t" / "hint" / "c" / "0" / "0"
    content = bytearray(shard.read_bytes())
    if damage == "lost":
        shard.unlink()
    elif damage == "short":
        shard.write_bytes(content[:-30])
    else:
        content[len(content) // 3] ^= 0xFF
        shard.write_bytes(content)
    targets = TargetsReader(tmp_path / "t")
    number, chosen = targets.view("s/0", 1)  # its cells are those of the first shard
    with pytest.raises(TargetsError, match=r"hint is damaged"):
        targets.hint("s/0", number, chosen)


def test_what_is_no_targets_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TargetsError, match="holds no targets"):
        TargetsReader(tmp_path)
    write(tmp_path / "t")
    file = tmp_path / "t" / "zarr.json"
    value = json.loads(file.read_text())
    value["attributes"]["distill_targets"]["format"] = 3
    file.write_text(json.dumps(value))
    with pytest.raises(TargetsError, match="is of format 3; this version reads 1 and 2"):
        TargetsReader(tmp_path / "t")


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ([[]], "is not of teacher targets"),
        ("text", "is not of teacher targets"),
        (None, "is not of teacher targets"),
        ({"classes": "ab"}, "is damaged: the record's classes is a text, not a list"),
        ({"teacher": [1]}, "is damaged: the record's teacher is a list, not an object"),
        ({"mpp": True}, "is damaged: the record's mpp is true, not a number"),
        ({"mpp": 0}, "mpp is 0, not a finite number above 0"),
        ({"stride": 0}, "stride is 0, not at least 1"),
        ({"draws_sha256": 1}, "is damaged: the record's draws_sha256 is 1, not a text"),
        ({"draws_sha256": None}, "is damaged: draws_sha256 is null"),
        ({"format": 1}, "missing or unexpected draws_sha256"),
    ],
)
def test_metadata_of_other_types_is_one_sentence(tmp_path: Path, about: Any, said: str) -> None:
    write(tmp_path / "t")
    file = tmp_path / "t" / "zarr.json"
    value = json.loads(file.read_text())
    known = value["attributes"]["distill_targets"]
    changed = {**known, **about} if isinstance(about, dict) else about
    value["attributes"]["distill_targets"] = changed
    file.write_text(json.dumps(value))
    with pytest.raises(TargetsError, match=rf"zarr\.json:? {said}"):
        TargetsReader(tmp_path / "t")


@pytest.mark.parametrize(
    ("about", "question", "message"),
    [
        ({"hint_dtype": None, "channels": None}, TargetSpec(), "use --pixel-weight 0"),
        ({"resizers": ["max"]}, TargetSpec(), r"hint by max, not by --resize max\+bicubic"),
        ({}, TargetSpec(distance="l1"), "cannot be told"),
        ({"attention": False}, TargetSpec(attention=True), "use --attention-weight 0"),
        ({"logits": False}, TargetSpec(), "use --soft-weight 0"),
    ],
)
def test_targets_without_what_is_asked_for_are_refused(
    tmp_path: Path, about: dict[str, object], question: TargetSpec, message: str
) -> None:
    write(tmp_path / "t", replace(ABOUT, **about))
    with pytest.raises(TargetsError, match=message):
        StoredTeacher(TargetsReader(tmp_path / "t"), question, CPU)


def test_maps_of_another_size_than_the_students_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "t")
    teacher = StoredTeacher(TargetsReader(tmp_path / "t"), TargetSpec(), CPU)
    with pytest.raises(TargetsError, match=r"maps of \(1, 1\) cells .* student's are \(2, 1\)"):
        teacher.ask([Sample("001", 0, {})], [None], [(2, 1)])


def test_any_zarr_reader_finds_named_axes(tmp_path: Path) -> None:
    write(tmp_path / "t")
    group = zarr.open_group(str(tmp_path / "t"), mode="r")
    axes = {name: group[name].metadata.dimension_names for name in ("hint", "logits")}
    assert axes == {
        "hint": ("cell", "channel"),
        "logits": ("view", "class"),
    }


def test_rows_longer_than_their_header_shift_nothing(tmp_path: Path) -> None:
    # a table that another program wrote, with a column that its header does not name
    write(tmp_path / "t")
    file = tmp_path / "t" / "crops.csv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *(f"{row},1" for row in rows)]) + "\n")
    with pytest.raises(TargetsError, match=r"crops\.csv cannot be read \(its rows have more"):
        TargetsReader(tmp_path / "t")


@pytest.mark.parametrize("codecs", [[{"name": "sharding_indexed", "configuration": {"☃": 1}}], 1])
def test_an_array_whose_metadata_zarr_cannot_take_is_named(tmp_path: Path, codecs: object) -> None:
    write(tmp_path / "t")
    file = tmp_path / "t" / "logits" / "zarr.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "codecs": codecs}))
    targets = TargetsReader(tmp_path / "t")
    with pytest.raises(TargetsError, match="logits cannot be opened"):
        targets.logits(0)
