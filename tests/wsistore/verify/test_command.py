"""``wsistore verify`` on the command line: lines, JSON, exit codes, several processes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner, Result

from wsistore.cli.main import main
from wsistore.tables import read_record
from wsistore.verify.slide.expected import Expected, record_violations

Broken = Callable[[Callable[[Path], object]], Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def test_a_whole_store_exits_0_and_says_what_was_read(whole: Path, slides: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*")}
    result = run(whole, "--slides", slides, "--sample", 2, "--workers", 1)
    assert result.exit_code == 0
    tiles, verdict = result.stdout.strip().split("\n")
    assert tiles == "tiles compared with the slides: 4 at 10x, 4 at 2.5x"
    assert verdict.startswith(
        f"{whole}: whole; read 3 slides, 3 crops, 6 levels, 8 shards, 11 chunks, "
    )
    assert "[1/3] a: whole, 1 crops" in result.stderr
    assert {p: p.stat().st_mtime_ns for p in whole.rglob("*")} == before


def test_faults_are_lines_with_exit_1_and_processes_agree(broken: Broken) -> None:
    def change(store: Path) -> None:
        (store / "slides/c/0/10x/c/0/0/0").unlink()
        (store / "slides/b/0/2.5x/zarr.json").write_text("{")
        (store / "slides/a/evil\n\x1b[31m[red].txt").write_text("")

    store = broken(change)
    one, two = run(store, "--workers", 1), run(store, "--workers", 2)
    assert one.exit_code == two.exit_code == 1
    assert one.stdout == two.stdout
    lines = one.stdout.strip().split("\n")
    assert lines[0] == (
        "slides/a/evil\\x0a\\x1b[31m[red].txt: is no part of the store format; move it out of the "
        "store"
    )
    assert lines[1].startswith("slides/b/0/2.5x/zarr.json: is no whole JSON")
    assert lines[2] == (
        "slides/c/0/10x/c/0/0/0: is missing; run 'wsistore build' for c.tiff again, with the "
        "store's options and --overwrite"
    )
    assert lines[3].startswith(f"{store}: 3 faults; read 3 slides")


def test_json_is_one_object(broken: Broken, slides: Path) -> None:
    store = broken(lambda s: (s / "crops.csv").unlink())
    result = run(store, "--json", "--workers", 1, "--slides", slides / "a.tiff", "--sample", 1)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["whole"] is False
    assert [(fault["file"], fault["what"]) for fault in report["faults"]] == [
        ("crops.csv", "is missing")
    ]
    assert "wsistore build" in report["faults"][0]["do"]
    assert report["read"]["chunks"] == 11
    assert report["tiles_compared"] == {"10x": 1, "2.5x": 1}
    assert report["not_compared"] == {"b": "not at hand", "c": "not at hand"}


def test_what_a_fault_says_to_do_mends_it(broken: Broken, slides: Path) -> None:
    def build(store: Path, *arguments: object) -> None:
        shown = ["build", *arguments, "--out", store, "--levels", "10x,2.5x", "--regions", "whole"]
        shown += ["--labels", slides / "labels.csv", "--workers", 1]
        assert CliRunner().invoke(main, list(map(str, shown))).exit_code == 0

    store = broken(lambda s: (s / "slides/c/0/10x/c/0/0/0").unlink())
    build(store, slides / "c.tiff", "--overwrite")
    assert run(store, "--workers", 1).exit_code == 0
    (store / "levels.csv").unlink()
    build(store, slides)
    assert run(store, "--workers", 1).exit_code == 0


def test_usage_errors_exit_2(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        ((tmp_path / "none",), "is not a store"),
        ((tmp_path / "empty",), "is not a store"),
        ((whole, "--slides", tmp_path / "none"), "there is no such file or folder"),
        ((whole, "--slides", tmp_path / "empty"), "holds no slide"),
        ((whole, "--annotations", tmp_path / "none"), "is no folder"),
        ((whole, "--sample", 0), "Invalid value for '--sample'"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output


def test_a_newer_format_is_refused(broken: Broken) -> None:
    def change(store: Path) -> None:
        text = (store / "zarr.json").read_text()
        (store / "zarr.json").write_text(text.replace('"format": 1', '"format": 2'))

    result = run(broken(change))
    assert result.exit_code == 1
    assert "has format 2; this wsistore verifies 1" in result.output


def test_crops_of_tissue_may_pass_each_other_when_their_boxes_grow(whole: Path) -> None:
    """Pieces are numbered before their boxes grow to whole pixels of the coarsest level."""
    record = read_record(whole / "slides" / "b")
    (crop,), law = record.crops, Expected(("10x", "2.5x"), exact_mpp=False)
    assert list(record_violations(record, "b", law)) == []
    second = replace(crop, crop="b/1", y=crop.y, height=crop.height - 8)
    first = replace(crop, y=crop.y + 8, height=crop.height - 8)
    both = replace(record, crops=(first, second), slide=replace(record.slide, crops=2))
    said = list(record_violations(both, "b", law))
    assert not [one for one in said if "order" in one or "beyond" in one or "stands" in one]
