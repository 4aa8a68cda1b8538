"""Stores broken in one way each: verify names the file that is broken, and no other."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from wsistore.cli.main import main
from wsistore.verify import Report, verify

Break = Callable[[Path], object]
Broken = Callable[[Break], Path]
A10 = "slides/a/0/10x"
A2 = "slides/a/0/2.5x"


def found(store: Path) -> Report:
    return verify(store, workers=0)


def flip(file: str, place: int) -> Break:
    def change(store: Path) -> None:
        data = bytearray((store / file).read_bytes())
        data[place] ^= 0x10
        (store / file).write_bytes(data)

    return change


def cut(file: str, keep: int) -> Break:
    return lambda store: (store / file).write_bytes((store / file).read_bytes()[:keep])


def remove(file: str) -> Break:
    def change(store: Path) -> None:
        path = store / file
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def add(file: str, text: str = "?") -> Break:
    def change(store: Path) -> None:
        (store / file).parent.mkdir(parents=True, exist_ok=True)
        (store / file).write_text(text)

    return change


def sub(file: str, old: str, new: str, count: int = 1) -> Break:
    def change(store: Path) -> None:
        text = (store / file).read_text()
        assert old in text
        (store / file).write_text(text.replace(old, new, count))

    return change


def swap(one: str, other: str) -> Break:
    def change(store: Path) -> None:
        (store / one).rename(store / "aside")
        (store / other).rename(store / one)
        (store / "aside").rename(store / other)

    return change


def edit(file: str, *path: Any, to: Any) -> Break:
    """Return a change of one value of a JSON file."""

    def change(store: Path) -> None:
        whole = json.loads((store / file).read_text())
        inner = whole
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to
        (store / file).write_text(json.dumps(whole))

    return change


def datasets(*path: Any, to: Any) -> Break:
    inside = ("attributes", "ome", "multiscales", 0, "datasets", *path)
    return edit("slides/b/0/zarr.json", *inside, to=to)


def record(*path: Any, to: Any) -> Break:
    return edit("slides/b/zarr.json", "attributes", "wsistore", *path, to=to)


def size_of_b(store: Path, size: int) -> None:
    table = (store / "levels.csv").read_text()
    (store / "levels.csv").write_text(re.sub(r"(b/0,2.5x.*),\d+", rf"\1,{size}", table))


def test_the_whole_store_is_whole(whole: Path) -> None:
    report = found(whole)
    assert report.faults == ()
    assert report.notes == ()
    assert dict(report.counts) == {
        "slides": 3, "crops": 3, "levels": 6, "shards": 8, "chunks": 11,
        "bytes": sum(p.stat().st_size for p in (whole / "slides").glob("*/**/*") if p.is_file()),
    }  # fmt: skip


CRC = "index fails its checksum"
PIXELS: list[tuple[str, Break, str, str]] = [
    ("flipped byte in a first chunk", flip(f"{A10}/c/0/1/0", 5000), f"{A10}/c/0/1/0",
     "chunk (0, 1, 0) fails its checksum"),
    ("flipped byte in a second chunk", flip(f"{A10}/c/0/1/0", -5000), f"{A10}/c/0/1/0",
     "chunk (0, 1, 1) fails its checksum"),
    ("flipped byte in a chunk's checksum", flip(f"{A10}/c/0/1/0", -37), f"{A10}/c/0/1/0",
     "chunk (0, 1, 1) fails its checksum"),
    ("flipped byte in the index", flip(f"{A10}/c/0/0/0", -20), f"{A10}/c/0/0/0", CRC),
    ("flipped byte in the index's checksum", flip(f"{A10}/c/0/0/0", -1), f"{A10}/c/0/0/0", CRC),
    ("removed shard", remove(f"{A10}/c/0/2/0"), f"{A10}/c/0/2/0", "is missing"),
    ("truncated shard", cut(f"{A10}/c/0/2/0", -1000), f"{A10}/c/0/2/0", CRC),
    ("shard cut to nothing", cut(f"{A10}/c/0/2/0", 0), f"{A10}/c/0/2/0", "has 0 bytes"),
    ("two crops' pixels exchanged", swap("slides/b/0/10x/c", "slides/c/0/10x/c"),
     "slides/b/0/10x slides/c/0/10x", "are not those that were stored"),
    ("changed sum", record("levels", 1, "sumsq_g", to=5), "slides/b/0/2.5x levels.csv", ""),
    ("changed size", lambda s: (record("levels", 1, "bytes", to=5)(s), size_of_b(s, 5)),
     "slides/b/0/2.5x", "recorded 5: it was written anew"),
    ("profile's chunk flipped", flip("slides/a/icc/c/0", 100), "slides/a/icc/c/0", "checksum"),
    ("profile's chunk lost", remove("slides/a/icc/c/0"), "slides/a/icc/c/0", "is missing"),
    ("shard as a folder", lambda s: (remove(f"{A2}/c/0/0/0")(s), (s / A2 / "c/0/0/0").mkdir()),
     f"{A2}/c/0/0/0", "cannot be read"),
]  # fmt: skip

METADATA: list[tuple[str, Break, str, str]] = [
    ("wrong scale", datasets(1, "coordinateTransformations", 0, "scale", to=[1, 4.0, 4.1]),
     "slides/b/0/zarr.json", "the law gives [1.0, 4.0, 4.0]"),
    ("wrong translation", datasets(0, "coordinateTransformations", 1, "translation", 2, to=0.5),
     "slides/b/0/zarr.json", "level 10x has the translation [0.0, 0.25, 0.5]"),
    ("NaN scale", datasets(0, "coordinateTransformations", 0, "scale", to=[1, 1, float("nan")]),
     "slides/b/0/zarr.json", "holds NaN, which is no JSON number"),
    ("levels in another order", lambda s: (datasets(0, "path", to="2.5x")(s),
     datasets(1, "path", to="10x")(s)), "slides/b/0/zarr.json", "its levels are 2.5x, 10x"),
    ("wrong axes", edit("slides/b/0/zarr.json", "attributes", "ome", "multiscales", 0, "axes", 1,
     "unit", to="millimeter"), "slides/b/0/zarr.json", "axes"),
    ("wrong chunk shape", edit(f"{A10}/zarr.json", "codecs", 0, "configuration", "chunk_shape",
     to=[3, 256, 512]), f"{A10}/zarr.json", "has the chunks [3, 256, 512]; the law gives"),
    ("wrong shard shape", edit(f"{A10}/zarr.json", "chunk_grid", "configuration", "chunk_shape",
     to=[3, 1024, 1024]), f"{A10}/zarr.json", "has the shards [3, 1024, 1024]"),
    ("wrong shape", edit(f"{A2}/zarr.json", "shape", to=[3, 262, 163]), f"{A2}/zarr.json",
     "has the shape [3, 262, 163]; the law gives [3, 262, 162]"),
    ("codec without checksum", edit(f"{A2}/zarr.json", "codecs", 0, "configuration", "codecs", 1,
     "configuration", "checksum", to=False), f"{A2}/zarr.json", "True was expected"),
    ("other dimension names", edit(f"{A2}/zarr.json", "dimension_names", to=["c", "x", "y"]),
     f"{A2}/zarr.json", "dimension_names"),
    ("other data type", edit(f"{A2}/zarr.json", "data_type", to="int8"), f"{A2}/zarr.json",
     "$.data_type"),
    ("truncated zarr.json of a level", cut(f"{A2}/zarr.json", -9), f"{A2}/zarr.json",
     "is no whole JSON"),
    ("zarr.json of a level lost", remove(f"{A2}/zarr.json"), f"{A2}/zarr.json", "is missing"),
    ("zarr.json of a crop lost", remove("slides/b/0/zarr.json"), "slides/b/0/zarr.json",
     "is missing"),
    ("truncated record", cut("slides/b/zarr.json", 700), "slides/b/zarr.json", "is no whole JSON"),
    ("record of a new column", record("slide", "scanner", to="x"), "slides/b/zarr.json",
     "'scanner' was unexpected"),
    ("side that is no integer", record("crops", 0, "width", to=400.0), "slides/b/zarr.json",
     "$.attributes.wsistore.crops[0].width"),
    ("empty slide's group", lambda s: (remove("slides/b")(s), (s / "slides/b").mkdir()),
     "slides/b/zarr.json", "is missing"),
    ("factor against the law", lambda s: (record("levels", 1, "factor", to=9)(s),
     sub("levels.csv", "b/0,2.5x,37,50,8", "b/0,2.5x,37,50,9")(s)), "slides/b/zarr.json",
     "2.5x of crop b/0 has factor 9; the law gives 8"),
    ("crop beyond its slide", lambda s: (record("slide", "width", to=399)(s),
     sub("slides.csv", "generic,400", "generic,399")(s)), "slides/b/zarr.json",
     "crop b/0 reaches beyond its slide of 399 × 300"),
    ("root of no JSON", add("zarr.json", "{"), "zarr.json", "nothing else can be checked"),
    ("root lost", remove("zarr.json"), "zarr.json", "is missing"),
    ("root with levels out of order", edit("zarr.json", "attributes", "wsistore", "levels",
     to=["2.5x", "10x"]), "zarr.json", "finest first"),
    ("root of regions unknown", edit("zarr.json", "attributes", "wsistore", "regions", to="all"),
     "zarr.json", "$.attributes.wsistore.regions"),
]  # fmt: skip

INDEX: list[tuple[str, Break, str, str]] = [
    ("crop missing from the index", sub("crops.csv", "b/0,b,p2,x,0,0,400,300,0.5,,,\n", ""),
     "crops.csv", "has no row of 'b/0'"),
    ("crop twice in the index", sub("crops.csv", "b/0,b,p2,x,0,0,400,300,0.5,,,\n",
     "b/0,b,p2,x,0,0,400,300,0.5,,,\n" * 2), "crops.csv", "has two rows of 'b/0'"),
    ("stale cell", sub("crops.csv", "b/0,b,p2,x,0,0,400", "b/0,b,p2,x,0,0,401"), "crops.csv",
     "row 'b/0' has width '401'; the slide group has 400"),
    ("stale label", sub("slides.csv", ",p2,x,", ",p2,y,"), "slides.csv", "has label 'y'"),
    ("stale sum", sub("levels.csv", "b/0,2.5x,37,50,8,4.0,", "b/0,2.5x,37,50,8,4.0,1"),
     "levels.csv", "row 'b/0 2.5x' has sum_r"),
    ("other header", sub("levels.csv", "height,width", "width,height"), "levels.csv", "header"),
    ("table lost", remove("slides.csv"), "slides.csv", "is missing"),
    ("table cut", cut("levels.csv", -30), "levels.csv", "cells, not 13"),
    ("table of no UTF-8", lambda s: (s / "crops.csv").write_bytes(b"\xff\xfe"), "crops.csv",
     "cannot be read as CSV"),
    ("slide's group lost", remove("slides/b"), "slides.csv crops.csv levels.csv splits/main.csv",
     "b"),
]  # fmt: skip

SPLITS: list[tuple[str, Break, str, str]] = [
    ("patient in two subsets", lambda s: [sub(f, "p2", "p1")(s) for f in
     ("splits/main.csv", "crops.csv", "slides.csv")] + [record("slide", "patient", to="p1")(s),
     record("crops", 0, "patient", to="p1")(s)], "splits/main.csv",
     "patient 'p1' is in more than one subset"),
    ("patient renamed to hide a leak", lambda s: sub("splits/main.csv", "p3", "p9")(s),
     "splits/main.csv",
     "crop 'c/0' has patient 'p9', whom the store does not know; the store: 'p3'"),
    ("unknown crop", sub("splits/main.csv", "c/0,c,p3", "c/1,c,p3"), "splits/main.csv",
     "crop 'c/1' of patient 'p3' is not in the store"),
    ("crop twice", lambda s: (s / "splits/main.csv").write_text(
     (s / "splits/main.csv").read_text() + (s / "splits/main.csv").read_text().split("\n")[1]),
     "splits/main.csv", "crop 'a/0' is listed more than once"),
    ("no subset", lambda s: (s / "splits/x.csv").write_text(
     "crop,slide,patient,label,subset\na/0,a,p1,x,\n"), "splits/x.csv", "crop 'a/0' has no subset"),
    ("split of other columns", add("splits/x.csv", "crop,subset\n"), "splits/x.csv",
     "lacks the column slide"),
    ("split of no CSV", lambda s: (s / "splits/x.csv").write_bytes(b"\xff\xfe"), "splits/x.csv",
     "decode"),
    ("crop of a patient left out", lambda s: [
        record("crops", 0, "patient", to="p3")(s), record("slide", "patient", to="p3")(s),
        sub("crops.csv", "p2", "p3")(s), sub("slides.csv", "p2", "p3")(s),
        (s / "splits/main.csv").write_text("\n".join(line for line in
            (s / "splits/main.csv").read_text().split("\n") if not line.startswith("b/0")))],
     "splits/main.csv", "these crops are not listed: b/0"),
    ("record of a split damaged", cut("splits/main.json", -9), "splits/main.json",
     "is no record of a split"),
    *((f"record of a split with {what}", sub("splits/main.json", old, new), "splits/main.json",
       said)
      for what, old, new, said in (
          ("a text for files", '"files": {', '"files": "1", "source": {', "its files is a text"),
          ("a number for a hash", '"main.csv": ', '"main.csv": 1, "b": ', "'main.csv' is 1"),
          ("another's file", '"main.csv": ', '"../../x.csv": ', "'../../x'"),
          ("a text for classes", '"exclude": []', '"exclude": "ab"', "exclude is a text"),
      )),
    ("file of a record lost", remove("splits/main.csv"), "splits/main.json",
     "names main.csv, which is missing"),
    ("no split", add("splits/notes.txt"), "splits/notes.txt", "is no split"),
]  # fmt: skip

STRANGERS: list[tuple[str, Break, str, str]] = [
    (name, add(name), name, "is no") for name in (
        "label.png", "slides/notes.txt", "slides/a/macro.jpg", "slides/a/0/10x/c/0/5/0",
        "slides/a/1/zarr.json", "slides/b/icc/c/0", "slides/a/0/10x/.DS_Store", "slides/a/0/5x/c",
    )
]  # fmt: skip


def link(file: str) -> Break:
    """Move a file or folder out of the store and leave a symbolic link to it."""

    def change(store: Path) -> None:
        outside = store.parent / "outside"
        (store / file).rename(outside)
        (store / file).symlink_to(outside)

    return change


def pipe(file: str) -> Break:
    """Put a pipe into which nobody writes in a file's place: opening it would wait for ever."""

    def change(store: Path) -> None:
        (store / file).unlink()
        os.mkfifo(store / file)

    return change


IRREGULAR: list[tuple[str, Break, str, str]] = [
    ("pipe for a shard", pipe(f"{A10}/c/0/0/0"), f"{A10}/c/0/0/0", "no regular file but a pipe"),
    ("pipe for metadata", pipe("slides/b/0/zarr.json"), "slides/b/0/zarr.json", "a pipe"),
    ("pipe for a table", pipe("crops.csv"), "crops.csv", "a pipe"),
    ("pipe for a split", pipe("splits/main.csv"), "splits/main.csv", "a pipe"),
    ("pipe for a split's record", pipe("splits/main.json"), "splits/main.json", "a pipe"),
    ("pipe for the root", pipe("zarr.json"), "zarr.json", "a pipe"),
    ("pipe where nothing belongs",
     lambda s: os.mkfifo(s / "slides/a/pipe"), "slides/a/pipe", "a pipe"),
    ("linked shard", link(f"{A10}/c/0/0/0"), f"{A10}/c/0/0/0", "is a symbolic link"),
    ("linked level", link("slides/b/0/10x"),
     "slides/b/0/10x slides/b/0/10x/zarr.json slides/b/0/10x/c/0/0/0",
     "slides/b/0/10x is a symbolic link"),
    ("linked slide", link("slides/c"),
     "slides/c slides.csv crops.csv levels.csv splits/main.csv", "is a symbolic link"),
    ("linked table", link("slides.csv"), "slides.csv", "is a symbolic link"),
    ("linked split", link("splits/main.csv"), "splits/main.csv", "is a symbolic link"),
]  # fmt: skip

ALL = PIXELS + METADATA + INDEX + SPLITS + STRANGERS + IRREGULAR


@pytest.mark.parametrize(
    ("change", "files", "what"), [case[1:] for case in ALL], ids=[case[0] for case in ALL]
)
def test_each_fault_is_named_where_it_is(
    broken: Broken, change: Break, files: str, what: str
) -> None:
    report = found(broken(change))
    assert not report.whole
    assert sorted({fault.file for fault in report.faults}) == sorted(files.split(" "))
    assert any(what in fault.what for fault in report.faults), report.faults
    assert all(fault.do and "\n" not in str(fault) for fault in report.faults)


def test_exchanged_levels_are_named_by_shape_and_pixels(broken: Broken) -> None:
    report = found(broken(swap(A10, A2)))
    files = {fault.file for fault in report.faults}
    assert {f"{A10}/zarr.json", f"{A2}/zarr.json", f"{A10}/c/0/0/0", f"{A10}/c/0/1/0"} <= files
    assert all(file.startswith("slides/a/0/") for file in files)


def test_leftovers_of_a_killed_build_are_notes(broken: Broken) -> None:
    def killed(store: Path) -> None:
        (store / ".building" / "z.123").mkdir()
        (store / ".crops.csv.x7d").write_text("crop,")
        (store / "splits" / ".main.csv.x7d").write_text("crop,")

    report = found(broken(killed))
    assert report.whole
    assert ".building/ holds 1 unfinished slides" in report.notes[0]
    assert [note.split(" ")[0] for note in report.notes[1:]] == [
        ".crops.csv.x7d", "splits/.main.csv.x7d",
    ]  # fmt: skip


def test_what_any_killed_command_was_writing_is_a_note_by_name(broken: Broken) -> None:
    aside = (
        ".slides.csv.0123456789abcdef", "splits/.main.csv.0123456789abcdef",
        "splits/.cv.0123456789abcdef", "slides/.zarr.json.0123456789abcdef",
        "slides/a/.zarr.json.0123456789abcdef",
    )  # fmt: skip

    def killed(store: Path) -> None:
        for name in aside:
            (store / f"{name}.lock").touch()
            (store / name).mkdir() if ".cv." in name else (store / name).write_text("slide,")

    report = found(broken(killed))
    assert report.whole
    assert sorted(note.split(" ")[0] for note in report.notes) == sorted(aside)
    assert all("a command that runs or was killed" in note for note in report.notes)


def test_failed_slides_have_no_group(broken: Broken) -> None:
    def fail(store: Path) -> None:
        columns = (store / "slides.csv").read_text().split("\n")[0].count(",")
        row = "z,failed,it cannot be opened,z.svs" + "," * (columns - 3) + "\n"
        (store / "slides.csv").write_text((store / "slides.csv").read_text() + row)

    assert found(broken(fail)).whole


def test_folds_that_test_a_patient_twice_are_named_at_their_record(broken: Broken) -> None:
    def folds(store: Path) -> None:
        arguments = ["split", str(store), "--name", "k", "--folds", "3"]
        assert CliRunner().invoke(main, arguments).exit_code == 0

    store = broken(folds)
    assert found(store).whole
    shutil.copy(store / "splits/k-0.csv", store / "splits/k-1.csv")
    faults = found(store).faults
    assert {fault.file for fault in faults} == {"splits/k.json"}
    assert any("is tested in k-0 and k-1" in fault.what for fault in faults)
    assert any("is tested in no fold" in fault.what for fault in faults)
