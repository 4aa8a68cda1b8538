"""Which slide is which: ids, labels and annotations by the name as given, in NFC."""

import csv
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from wsistore.annotations.source import AnnotationSource
from wsistore.build.builder import build as build_store
from wsistore.build.ingest import ingest
from wsistore.build.settings import BuildSettings, SlideTask
from wsistore.cli.main import main
from wsistore.errors import SlideError, UsageError
from wsistore.files.paths import absolute
from wsistore.slides.discovery import find_slides
from wsistore.slides.labels import Label, match_labels, read_labels, unmatched
from wsistore.slides.slide import SlideFile, slide_text
from wsistore.storage import layout

pytestmark = pytest.mark.usefixtures("in_this_process")
NFD = unicodedata.normalize("NFD", "Präparat-1")
NFC = unicodedata.normalize("NFC", "Präparat-1")


def write_slide(path: Path, seed: int = 0) -> Path:
    """Write a tiled TIFF of 384 pixels at 1 µm/px with a square of tissue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((384, 384, 3), 240, np.uint8)
    noise = np.random.default_rng(seed)
    image[96:288, 96:288] = noise.integers(120, 200, (192, 192, 3))
    tifffile.imwrite(
        path, image, tile=(128, 128), photometric="rgb", metadata=None,
        resolution=(10000, 10000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def build(*arguments: object) -> Result:
    return run("build", *arguments, "--levels", "10x", "--workers", 1)


def table(store: Path) -> list[dict[str, str]]:
    with (store / "slides.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two slides of one name in an archive of patients, linked as P1 and P2, and labels."""
    (tmp_path / "slides").mkdir()
    for number, name in enumerate(("DOE-JANE", "ROE-RICHARD"), start=1):
        target = write_slide(tmp_path / "archive" / name / "block-A.tif", number)
        (tmp_path / "slides" / f"P{number}.tif").symlink_to(target)
    (tmp_path / "labels.csv").write_text("slide,patient,label\nP1,P1,a\nP2.tif,P2,b\n")
    return tmp_path


def test_linked_slides_are_stored_by_the_names_of_the_links(archive: Path) -> None:
    slides, store, labels = archive / "slides", archive / "store", archive / "labels.csv"
    for more in ((), ("--overwrite",)):
        result = build(slides, "--out", store, "--labels", labels, *more)
        assert result.exit_code == 0, result.output
        rows = [(row["slide"], row["file"], row["patient"], row["label"]) for row in table(store)]
        assert rows == [("P1", "P1.tif", "P1", "a"), ("P2", "P2.tif", "P2", "b")]
    verified = run("verify", store, "--slides", slides)
    assert verified.exit_code == 0
    assert "not compared" not in verified.output
    for file in (path for path in store.rglob("*") if path.suffix in (".json", ".csv")):
        assert "block-A" not in file.read_text()
    planned = json.loads(run("plan", slides, "--levels", "10x", "--json").stdout)
    assert [(plan["slide"], plan["file"]) for plan in planned] == [
        ("P1", "P1.tif"),
        ("P2", "P2.tif"),
    ]


def test_a_link_that_leads_nowhere_is_one_failed_slide_of_its_own_name(archive: Path) -> None:
    (archive / "slides" / "broken.svs").symlink_to(archive / "archive" / "MEIER-MAX.svs")
    result = build(archive / "slides", "--out", archive / "store")
    assert result.exit_code == 1
    rows = {row["slide"]: row for row in table(archive / "store")}
    assert rows["broken"]["file"] == "broken.svs"
    assert rows["broken"]["reason"] == "it is a link that leads nowhere"
    assert "MEIER" not in result.output
    assert rows["P1"]["outcome"] == "ok"


def test_annotations_of_a_linked_slide_lie_beside_the_link(archive: Path) -> None:
    for name in ("slides/P1.geojson", "archive/DOE-JANE/block-A.geojson"):
        (archive / name).write_text("{}")
    slide = absolute(archive / "slides" / "P1.tif")
    assert AnnotationSource().find(slide) == archive / "slides" / "P1.geojson"


def test_the_working_folder_has_the_name_that_it_was_entered_by(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (archive / "P9").symlink_to(archive / "archive" / "DOE-JANE")
    monkeypatch.chdir(archive / "P9")
    monkeypatch.setenv("PWD", str(archive / "P9"))
    assert absolute(Path()) == archive / "P9"
    assert layout.slide_id(Path()) == "P9"
    assert [slide.slide for slide in find_slides([Path()], "relative-path")] == ["P9--block-A"]
    # what is left of a shell that has gone elsewhere since says nothing
    monkeypatch.setenv("PWD", str(archive))
    assert absolute(Path()) == archive / "archive" / "DOE-JANE"
    with pytest.raises(UsageError, match=r"leaves a linked folder by '..'"):
        absolute(archive / "P9" / "..")
    assert absolute(archive / "slides" / ".." / "P9") == archive / "P9"


def test_names_that_a_mac_wrote_are_those_that_linux_wrote(tmp_path: Path) -> None:
    labels, store = tmp_path / "labels.csv", tmp_path / "store"
    labels.write_text(f"slide,patient,label\n{NFC},P1,tumour\n", encoding="utf-8")
    for form, said in ((NFC, "ok"), (NFD, "stored before")):
        slide = write_slide(tmp_path / form.encode().hex() / f"{form}.tif")
        result = build(slide, "--out", store, "--labels", labels)
        assert result.exit_code == 0
        assert f"{NFC}.tif: {said}" in result.output
    (row,) = table(store)
    assert (row["slide"], row["file"], row["label"]) == ("Pr_parat-1", f"{NFC}.tif", "tumour")
    (slide.parent / f"{NFC}.geojson").write_text("{}")
    assert AnnotationSource().find(slide).name == f"{NFC}.geojson"
    (slide.parent / unicodedata.normalize("NFD", f"{NFC}.tif.json")).write_text("{}")
    with pytest.raises(SlideError, match="several annotation files"):
        AnnotationSource().find(slide)


def test_labels_typed_in_two_forms_are_one_patient(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    forms = [unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD")]
    labels.write_text(f"slide,patient,label\na,{forms[0]},x\nb,{forms[1]},x\n", encoding="utf-8")
    assert len({label.patient for label in read_labels(labels).values()}) == 1


def test_a_slide_stored_by_an_earlier_id_is_neither_doubled_nor_lost(tmp_path: Path) -> None:
    slide, store = write_slide(tmp_path / "in" / f"{NFD}.tif"), tmp_path / "store"
    assert layout.earlier_ids(slide)[0] == "Pra_parat-1"
    earlier = SlideFile(slide, "Pra_parat-1")
    settings = BuildSettings(("10x",))
    list(build_store([earlier], store, settings, workers=0))
    for more, said in ((), "stored before"), (("--overwrite",), "ok, 1 crops"):
        result = build(slide, "--out", store, *more)
        assert result.exit_code == 0
        assert f"Pra_parat-1 ({NFC}.tif): {said}" in result.output
        assert [row["slide"] for row in table(store)] == ["Pra_parat-1"]
    verified = run("verify", store, "--slides", slide)
    assert verified.exit_code == 0
    assert "not compared" not in verified.output


def test_two_scanners_slides_of_one_name_live_in_one_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for number in (1, 2):
        write_slide(tmp_path / f"scanner{number}" / "0001.tif", number)
    first = build(tmp_path / "scanner1", "--out", store)
    assert first.exit_code == 0
    second = build(tmp_path / "scanner2", "--out", store)
    assert second.exit_code == 1
    for advice in (
        "another version of that slide",
        "--overwrite",
        "another slide",
        "rename it",
        "--id",
    ):
        assert advice in second.output
    both = build(tmp_path / "scanner1", tmp_path / "scanner2", "--out", store)
    assert both.exit_code == 2
    assert "would both be slide '0001'" in both.output
    other = tmp_path / "other"
    for number in (1, 2):
        folder = tmp_path / f"scanner{number}"
        assert build(folder, "--out", other, "--id", "relative-path").exit_code == 0
    # a file named outright has the same id, whatever the working folder
    again = build(tmp_path / "scanner2" / "0001.tif", "--out", other, "--id", "relative-path")
    assert "scanner2--0001 (0001.tif): stored before" in again.output
    assert [row["slide"] for row in table(other)] == ["scanner1--0001", "scanner2--0001"]
    verified = run("verify", other, "--slides", tmp_path / "scanner1", "--id", "relative-path")
    assert verified.exit_code == 0
    assert "not compared: scanner2--0001: not at hand" in verified.output


def test_ids_from_a_column_of_the_labels(tmp_path: Path) -> None:
    for number in (1, 2):
        write_slide(tmp_path / f"scanner{number}" / "0001.tif", number)
    labels, store = tmp_path / "labels.csv", tmp_path / "store"
    labels.write_text("slide,patient,label,id\nscanner1/0001.tif,p,a,X1\nscanner2\\0001,q,b,X2\n")
    folders = (tmp_path / "scanner1", tmp_path / "scanner2")
    result = build(*folders, "--out", store, "--id", "column", "--labels", labels)
    assert result.exit_code == 0, result.output
    rows = [(row["slide"], row["patient"], row["label"]) for row in table(store)]
    assert rows == [("X1", "p", "a"), ("X2", "q", "b")]
    for text, said in (
        ("slide,patient,label,id\n0001,p,a,X1\n", "write the folder too, as scanner2/0001.tif"),
        ("slide,patient,label,id\nscanner1/0001,p,a,X1\n", "the labels give"),
        ("slide,patient,label,id\nscanner1/0001,p,a,X\nscanner2/0001,q,b,X\n", "both be slide 'X'"),
        ("slide,patient,label,id\nscanner1/0001,p,a,X/1\nscanner2/0001,q,b,X\n", "'X_1' could"),
        ("slide,patient,label\nscanner1/0001,p,a\n", "needs --labels with a column 'id'"),
    ):
        labels.write_text(text)
        refused = build(*folders, "--out", store, "--id", "column", "--labels", labels)
        assert refused.exit_code == 2
        assert said in refused.output


def test_labels_name_slides_by_the_end_of_their_path(tmp_path: Path) -> None:
    a, b = (SlideFile(tmp_path / folder / "a.b.svs", f"{folder}--a.b") for folder in ("x", "y"))
    one, two = Label("p"), Label("q")
    assert match_labels([a, b], {"x/a.b.svs": one, "y--a.b": two}) == [one, two]
    assert unmatched([a, b], {"x/a.b": one, "a.b.svs": two, "z/a.b": two}) == ["z/a.b"]
    # a later build of y would take the same row
    with pytest.raises(UsageError, match=r"by its file's name alone.*write x/a.b.svs, or x--a.b"):
        match_labels([a], {"a.b": one})
    with pytest.raises(UsageError, match=r"rows 'a\.b' and 'x/a\.b' both name"):
        match_labels([SlideFile(a.path, "a.b")], {"x/a.b": one, "a.b": two})
    with pytest.raises(UsageError, match="both name"):
        match_labels([SlideFile(a.path, "a.b")], {"x/a.b": one, "x\\a.b": two})
    assert match_labels([SlideFile(a.path, "a.b")], {"x/a.b": one, "a.b": one}) == [one]


def test_annotations_of_slides_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("0001.geojson", "scanner2--0001.json"):
        (tmp_path / name).write_text("{}")
    source, slide = AnnotationSource(tmp_path), tmp_path / "scanner2" / "0001.tif"
    assert source.find(slide, "scanner2--0001").name == "scanner2--0001.json"
    assert source.find(slide, "0001").name == "0001.geojson"
    with pytest.raises(SlideError, match=r"looked for scanner1--0001\.geojson"):
        source.find(tmp_path / "scanner1" / "0001.tif", "scanner1--0001")


def test_a_slide_never_takes_the_place_of_one_of_another_id(tmp_path: Path) -> None:
    """File systems of macOS and Windows take ``a`` and ``A`` for one folder."""
    store = tmp_path / "store"
    build(write_slide(tmp_path / "1" / "a.tif", 1), "--out", store)
    (store / "slides" / "a").rename(store / "slides" / "A")  # what such a system would answer
    task = SlideTask(write_slide(tmp_path / "2" / "A.tif", 2), Label())
    settings = BuildSettings(("10x",))
    record = ingest(task, store, settings, overwrite=True)
    assert record.slide.outcome == "failed"
    assert "slide 'a' (a.tif) has the same name on this file system" in record.slide.reason


def test_a_build_of_two_slides_of_one_id_stores_neither(tmp_path: Path) -> None:
    files = [write_slide(tmp_path / name / "a.tif", seed) for seed, name in enumerate("xy")]
    settings = BuildSettings(("10x",))
    with pytest.raises(UsageError, match="would both be slide 'a'"):
        list(build_store(files, tmp_path / "store", settings, workers=0, overwrite=True))
    assert not (tmp_path / "store").exists()
    # one file twice is one slide
    (result,) = build_store([files[0], files[0]], tmp_path / "store", settings, workers=0)
    assert result.record.slide.outcome == "ok"


def test_what_a_reader_says_of_a_link_has_no_name_of_its_target(tmp_path: Path) -> None:
    target = tmp_path / "archive" / "DOE-JANE" / "block-A.mrxs"
    (target.with_suffix("")).mkdir(parents=True)
    target.write_bytes(b"no slide")
    (target.with_suffix("") / "Slidedat.ini").write_text("[GENERAL]")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "P1.mrxs").symlink_to(target)
    result = build(tmp_path / "in", "--out", tmp_path / "store")
    assert result.exit_code == 1
    (row,) = table(tmp_path / "store")
    assert (row["slide"], row["file"], row["outcome"]) == ("P1", "P1.mrxs", "failed")
    for said in (result.output, row["reason"]):
        assert "DOE" not in said
        assert "block" not in said


def test_reasons_name_no_folder_and_no_target(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def refuse(self: Path, *more: Any, **named: Any) -> Any:
        if self.suffix == ".tif":
            raise PermissionError(13, "Permission denied", str(self.resolve()))
        return opened(self, *more, **named)

    monkeypatch.setattr(Path, "open", refuse)
    record = ingest(
        SlideTask(archive / "slides" / "P1.tif", Label()), archive / "s",
        BuildSettings(("10x",)),
    )  # fmt: skip
    assert record.slide.reason == "it cannot be read: Permission denied"


def test_slides_are_shown_by_file_and_where_it_is_another_by_id() -> None:
    assert slide_text("a", "a.svs") == "a.svs"
    assert slide_text("Pr_parat-1", f"{NFD}.tif") == f"{NFD}.tif"
    assert slide_text("1.2.840", "1.2.840") == "1.2.840"
    assert slide_text("scanner1--a", "a.svs") == "scanner1--a (a.svs)"
