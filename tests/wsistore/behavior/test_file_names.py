"""File names are bytes: what is no UTF-8, and what steers a terminal, is stored escaped."""

import csv
import errno
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import wsistore
from tests.wsistore.slides.test_ids import write_slide
from wsistore.build import ingest
from wsistore.build.builder import build as build_store
from wsistore.build.settings import BuildSettings
from wsistore.cli.main import main
from wsistore.files.user_table import UsageError
from wsistore.formatting.texts import unsafe
from wsistore.readers import Reader
from wsistore.slides.labels import read_labels

LATIN = os.fsdecode(b"Pr\xe4parat.tif")
ESCAPES = "a\x1b[31m\u202e[bold].tif"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def build(*arguments: object) -> Result:
    return run("build", *arguments, "--levels", "10x", "--workers", 1, "--regions", "whole")


def rows(store: Path) -> dict[str, dict[str, str]]:
    with (store / "slides.csv").open(encoding="utf-8", newline="") as file:
        return {row["slide"]: row for row in csv.DictReader(file)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Slides of hostile names and of a plain one, and a broken one."""
    for seed, name in enumerate((LATIN, ESCAPES, "plain.tif")):
        write_slide(tmp_path / "in" / name, seed)
    (tmp_path / "in" / os.fsdecode(b"br\xf6ken.tif")).write_bytes(b"no slide")
    return tmp_path / "in"


def test_a_name_that_is_not_utf8_is_stored_escaped_and_harms_no_other(folder: Path) -> None:
    store = folder.parent / "store"
    first = build(folder, "--out", store)
    assert first.exit_code == 1, first.output  # the broken one alone
    found = rows(store)
    assert {slide: (row["file"], row["outcome"]) for slide, row in found.items()} == {
        "Pr_xe4parat": (r"Pr\xe4parat.tif", "ok"),
        "a_x1b_31m_u202e_bold_": (r"a\x1b[31m\u202e[bold].tif", "ok"),
        "br_xf6ken": (r"br\xf6ken.tif", "failed"),
        "plain": ("plain.tif", "ok"),
    }
    for line in first.output.splitlines():
        assert not unsafe(line)
    assert r"Pr\xe4parat.tif: ok" in first.output
    assert r"a\x1b[31m\u202e[bold].tif: ok" in first.output
    again = build(folder / LATIN, folder / ESCAPES, "--out", store)
    assert again.exit_code == 0, again.output
    assert again.output.count("stored before") == 2
    verified = run("verify", store, "--slides", folder, "--json")
    report = json.loads(verified.stdout)
    assert report["faults"] == []
    assert report["tiles_compared"]["10x"] > 0
    planned = json.loads(run("plan", folder, "--json").stdout)
    slides = planned if isinstance(planned, list) else planned["slides"]
    assert {plan["file"] for plan in slides} == {row["file"] for row in found.values()}
    for command in (("plan", folder), ("info", store), ("verify", store)):
        assert not any(map(unsafe, run(*command).output.splitlines()))


@pytest.mark.parametrize("reader", ["vips", "openslide"])
def test_every_reader_opens_such_a_name(folder: Path, reader: str) -> None:
    store = folder.parent / "store"
    built = build(folder / LATIN, "--out", store, "--mpp", 1, "--reader", reader)
    assert built.exit_code == 0, built.output
    assert rows(store)["Pr_xe4parat"]["reader"] == reader


def test_labels_name_such_a_slide_by_the_escaped_form(folder: Path) -> None:
    store, labels = folder.parent / "store", folder.parent / "labels.csv"
    labels.write_text(
        "slide,patient,label\nPr\\xe4parat.tif,p1,coarse\n"
        "in/a\\x1b[31m\\u202e[bold],p2,fine\nin\\plain.tif,p3,fine\n"
    )
    built = build(folder, "--out", store, "--labels", labels)
    assert "names no slide" not in built.output
    patients = {slide: row["patient"] for slide, row in rows(store).items()}
    assert patients == {
        "Pr_xe4parat": "p1", "a_x1b_31m_u202e_bold_": "p2", "plain": "p3",
        "br_xf6ken": "br_xf6ken",
    }  # fmt: skip
    labels.write_text("slide,patient,label\nPr\\xe4parat,p9,fine\n")
    relabeled = run("label", store, "--labels", labels)
    assert relabeled.exit_code == 0, relabeled.output
    assert rows(store)["Pr_xe4parat"]["patient"] == "p9"


def test_a_store_that_an_earlier_version_poisoned_gets_its_tables(folder: Path) -> None:
    store = folder.parent / "store"
    assert build(folder / "plain.tif", folder / LATIN, "--out", store).exit_code == 0
    group = store / "slides" / "Pr_xe4parat"
    text = (group / "zarr.json").read_text()
    early = text.replace(r"Pr\\xe4parat.tif", r"Pr\udce4parat.tif").replace("_xe4", "_")
    assert early != text
    (group / "zarr.json").write_text(early)
    group.rename(group.with_name("Pr_parat"))
    for name in ("slides", "crops", "levels"):
        (store / f"{name}.csv").unlink()
    built = build(folder / LATIN, "--out", store)
    assert built.exit_code == 0, built.output
    assert "stored before" in built.output
    assert {slide: row["file"] for slide, row in rows(store).items()} == {
        "Pr_parat": r"Pr\xe4parat.tif", "plain": "plain.tif",
    }  # fmt: skip
    assert run("verify", store).exit_code == 0


def test_annotations_are_found_by_a_name_that_is_not_utf8(folder: Path) -> None:
    square = [[100, 100], [200, 100], [200, 200], [100, 200], [100, 100]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [square]}}
    drawn = folder / os.fsdecode(b"Pr\xe4parat.geojson")
    drawn.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    store = folder.parent / "store"
    built = build(folder / LATIN, "--out", store, "--regions", "annotations")
    assert built.exit_code == 0, built.output
    assert rows(store)["Pr_xe4parat"]["crops"] == "1"


def test_ids_of_paths_keep_such_folders_apart(tmp_path: Path) -> None:
    for name in (b"\xe4", b"\xf6"):
        write_slide(tmp_path / "in" / os.fsdecode(name) / "a.tif")
    found = wsistore.find_slides([tmp_path / "in"], "relative-path")
    assert [file.slide for file in found] == ["in--_xe4--a", "in--_xf6--a"]


@pytest.mark.parametrize("sign", ["\x1b", "\x85", "\u202e", "\u2066", "\x7f"])
def test_labels_refuse_what_steers_a_terminal(tmp_path: Path, sign: str) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(f"slide,patient,label\na,p{sign}1,x\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2 has a control character in its patient") as error:
        read_labels(table)
    assert not unsafe(str(error.value))


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_reasons_name_no_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    store = folder.parent / "store"

    def fail(reader: Reader, group: Path, *_: object) -> None:
        name = f"{folder}/plain.tif and '{group}'\x1b[31m"
        raise kind(errno.EIO, "Input/output error", name) if kind is OSError else kind(name)

    monkeypatch.setattr(ingest, "write_crop", fail)
    settings = BuildSettings(("10x",), regions="whole")
    (result,) = build_store([folder / "plain.tif"], store, settings, workers=0)
    assert result.record.slide.outcome == "failed"
    table = (store / "slides.csv").read_text()
    assert "plain.tif and" in table
    assert r".building/plain" in table
    assert str(folder.parent) not in table
    assert not any(map(unsafe, table.splitlines()))


def test_the_page_of_a_damaged_slide_names_no_folder(folder: Path) -> None:
    store, page = folder.parent / "store", folder.parent / "page"
    assert build(folder / "plain.tif", "--out", store).exit_code == 0
    (shard,) = filter(Path.is_file, (store / "slides/plain/0/10x/c").rglob("*"))
    shard.write_bytes(b"damaged" + shard.read_bytes()[7:])
    assert run("preview", store, "--out", page).exit_code == 1
    text = (page / "index.html").read_text(encoding="utf-8")
    assert "slides/plain/0/10x: cannot be read" in text
    assert str(folder.parent) not in text
