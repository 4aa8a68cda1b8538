"""Corrected labels: the store becomes the one that a build with these labels makes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import wsistore
from tests.wsistore.build.test_builder import flat_slide
from wsistore.cli.main import main
from wsistore.errors import UsageError
from wsistore.slides.labels import Label, read_labels
from wsistore.store import relabel
from wsistore.store.relabel import plan_relabeling, stored_labels
from wsistore.tables.records import CropRow, SlideRecord, SlideRow

OLD = "slide,patient,label\na,p1,x\nb,p2,y\nc,p3,x\nd,p4,y\n"
NEW = "slide;patient;label\na.tiff;p1;Entzündung\nb;;y\nc;p3;\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def files(store: Path) -> dict[str, bytes]:
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of four slides, of old and new labels, and of stores built with each."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "slides").mkdir()
    for number, name in enumerate("abcd"):
        flat_slide(folder / "slides" / f"{name}.tiff", size=1024 + 16 * number)
    for name, text in (("old", OLD), ("new", NEW + "d;p4;y\n")):
        labels = folder / f"{name}.csv"
        labels.write_text(text)
        options = ("--out", folder / name, "--labels", labels, "--levels", "5x", "--workers", 1)
        assert run("build", folder / "slides", *options).exit_code == 0
    return folder


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy of the store with old labels."""
    return Path(shutil.copytree(made / "old", tmp_path / "store"))


def test_the_store_becomes_what_a_build_makes(made: Path, store: Path) -> None:
    result = run("label", store, "--labels", made / "new.csv")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "a.tiff: label 'x' → 'Entzündung'; 1 crops",
        "b.tiff: patient 'p2' → 'b'; 1 crops",
        "c.tiff: label 'x' → '(none)'; 1 crops",
        f"{store}: 3 slides changed, 3 crops",
    ]
    assert files(store) == files(made / "new")
    built = run(
        "build", made / "slides", "--out", store, "--labels", made / "new.csv", "--levels", "5x"
    )
    assert built.output.count("stored before") == 4
    assert run("verify", store).exit_code == 0
    again = run("label", store, "--labels", made / "new.csv")
    assert again.output == f"{store}: 0 slides changed, 0 crops\n"


def test_slides_without_a_row_stay_and_strange_rows_are_named(store: Path, tmp_path: Path) -> None:
    labels = tmp_path / "some.csv"
    labels.write_text("slide,patient,label\nB.svs,p2,z\nb.tiff,p2,NA\n")
    result = run("label", store, "--labels", labels)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert f"{labels}: 1 row names a slide not in the store (B.svs, near b.tiff)" in lines
    assert f"{labels}: 3 slides have no row (a.tiff; c.tiff; d.tiff)" in lines
    assert any("1 slide has the label 'NA', which is taken as a class" in line for line in lines)
    crops = wsistore.open(store).crops
    assert crops["label"].tolist() == ["x", "NA", "x", "y"]
    assert crops["patient"].tolist() == ["p1", "p2", "p3", "p4"]


def test_a_dry_run_writes_nothing(made: Path, store: Path) -> None:
    before = files(store)
    result = run("label", store, "--labels", made / "new.csv", "--dry-run")
    assert result.exit_code == 0
    assert "a.tiff: label 'x' → 'Entzündung'; 1 crops" in result.output
    assert f"{store}: 3 slides would change, 3 crops" in result.output
    assert files(store) == before


@pytest.mark.parametrize("killed_at", [0, 1, 2, 3])
def test_the_same_command_finishes_what_was_killed(
    made: Path, store: Path, killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, kept = [], relabel._write

    def write(group: object, record: SlideRecord) -> None:
        if len(writes) == killed_at:
            raise KeyboardInterrupt
        writes.append(record.slide.slide)
        kept(group, record)  # type: ignore[arg-type]

    def no_index(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(relabel, "_write", write)
        patch.setattr(relabel, "update_index", no_index)
        with pytest.raises(SystemExit):
            main(["label", str(store), "--labels", str(made / "new.csv")])
    assert len(writes) == killed_at
    assert run("label", store, "--labels", made / "new.csv").exit_code == 0
    assert files(store) == files(made / "new")


def test_another_scale_is_refused_by_name(store: Path, tmp_path: Path) -> None:
    labels = tmp_path / "l.csv"
    labels.write_text("slide,patient,label,mpp\na,p1,z,0.25\nb,p2,z,0.5\n")
    result = run("label", store, "--labels", labels)
    assert result.exit_code == 1
    assert "a.tiff: failed: it is stored at 0.5 µm/px and the table says 0.25" in result.output
    assert wsistore.open(store).crops["label"].tolist() == ["z", "z", "x", "y"]


def test_splits_that_no_longer_fit_are_named_and_stay(store: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("patient,subset\np1,train\np2,train\np3,test\np4,test\n")
    assert run("split", store, "--name", "own", "--from-csv", own).exit_code == 0
    assert run("split", store, "--name", "half", "--fractions", "50/0/50").exit_code == 0
    labels = tmp_path / "l.csv"
    labels.write_text("slide,patient,label\na,p1,y\nb,p2,x\n")
    for dry in (("--dry-run",), ()):
        result = run("label", store, "--labels", labels, *dry)
        assert result.exit_code == 1
        for line in (
            f"split half does not fit: {store}/splits/half.csv: crop 'a/0' has label 'x'; the "
            f"store: 'y'; {store}/splits/half.csv: crop 'b/0' has label 'y'; the store: 'x'; "
            "'wsistore split --name half --extend' takes the labels over",
            f"split own does not fit: {store}/splits/own.csv: crop 'a/0' has label 'x'; the "
            f"store: 'y'; {store}/splits/own.csv: crop 'b/0' has label 'y'; the store: 'x'; "
            "make it again with 'wsistore split --name own --from-csv FILE --overwrite'",
        ):
            assert line in result.output.splitlines()
    # the advice is good
    assert run("split", store, "--name", "half", "--extend").exit_code == 0
    assert run("split", store, "--name", "own", "--from-csv", own, "--overwrite").exit_code == 0
    assert run("label", store, "--labels", labels).exit_code == 0
    # one patient on both sides: a leak
    before = {name: data for name, data in files(store).items() if name.startswith("splits")}
    labels.write_text("slide,patient,label\na,p3,y\n")
    result = run("label", store, "--labels", labels)
    assert result.exit_code == 1
    assert "patient 'p3' is in more than one subset: test (c/0), train (a/0)" in result.output
    assert {name: data for name, data in files(store).items() if name in before} == before


def test_usage_errors(store: Path, tmp_path: Path) -> None:
    before = files(store)
    labels = tmp_path / "l.csv"
    labels.write_text("slide,patient,label\na,p1,y\na.tiff,p2,y\n")
    result = run("label", store, "--labels", labels)
    assert result.exit_code == 2
    assert "disagree about slide 'a.tiff'" in result.output
    assert run("label", store).exit_code == 2
    nowhere = run("label", tmp_path / "none", "--labels", labels)
    assert nowhere.exit_code == 1
    assert "is not a store" in nowhere.output
    assert files(store) == before


def record(label: str, *crops: tuple[str, str | None]) -> SlideRecord:
    """A slide with crops of (label, own class)."""
    rows = tuple(
        CropRow(f"s/{n}", "s", "p", name, 0, 0, 9, 9, 0.5, None, own)
        for n, (name, own) in enumerate(crops)
    )
    return SlideRecord(SlideRow("s", "ok", file="s.svs", patient="p", label=label, mpp=0.5), rows)


def after(old: SlideRecord, label: Label, drawn: bool) -> tuple[list[str], dict[str, str]]:
    found = plan_relabeling({"s": old}, {"s": label}, drawn)
    return [crop.label for crop in found.records["s"].crops], dict(found.refused)


def test_drawn_classes_stay() -> None:
    old = record("x", ("x", ""), ("x", "x"), ("gland", "gland"))
    assert after(old, Label("p", "y"), True) == (["y", "x", "gland"], {})
    assert after(old, Label("q", ""), True) == (["", "x", "gland"], {})
    (change,) = plan_relabeling({"s": old}, {"s": Label("p", "y")}, True).changes
    assert (change.label, change.patient, change.crops, change.kept) == (("x", "y"), None, 1, 2)


def test_early_stores_say_where_they_cannot_tell() -> None:
    # before classes of regions were recorded: a crop labeled otherwise than its slide has its own
    tissue = record("x", ("x", None))
    assert after(tissue, Label("p", "y"), False) == (["y"], {})
    clear = record("x", ("gland", None))
    assert after(clear, Label("p", "y"), True) == (["gland"], {})
    assert after(record("", ("", None)), Label("p", "y"), True) == (["y"], {})
    unclear = record("x", ("x", None), ("gland", None))
    labels, refused = after(unclear, Label("p", "y"), True)
    assert labels == ["x", "gland"]
    assert "crop 's/0' is labeled 'x' as its slide is" in refused["s.svs"]
    assert "rebuild it with --overwrite" in refused["s.svs"]
    # the patient alone can change
    found = plan_relabeling({"s": unclear}, {"s": Label("q", "x")}, True)
    assert found.records["s"] == replace(
        unclear,
        slide=replace(unclear.slide, patient="q"),
        crops=(
            replace(unclear.crops[0], patient="q"),
            replace(unclear.crops[1], patient="q", annotation_class="gland"),
        ),
    )


def test_a_failed_slide_has_the_corrected_names_too(made: Path, store: Path) -> None:
    broken = store.parent / "broken.tiff"
    broken.write_bytes(b"II*\0 not a slide")
    assert run("build", broken, "--out", store, "--levels", "5x").exit_code == 1
    labels = store.parent / "l.csv"
    labels.write_text("slide,patient,label\nbroken,p9,z\n")
    assert run("label", store, "--labels", labels).exit_code == 0
    row = wsistore.open(store).slides.set_index("slide").loc["broken"]
    assert (row["outcome"], row["patient"], row["label"]) == ("failed", "p9", "z")
    assert (
        json.loads((store / "slides" / "a" / "zarr.json").read_text())["attributes"]["wsistore"][
            "slide"
        ]["patient"]
        == "p1"
    )


def matched(folder: Path, stored: dict[str, str], text: str) -> dict[str, str]:
    """Id → label of the slides, id → file name, that rows name."""
    (folder / "l.csv").write_text(text)
    records = {
        slide: SlideRecord(SlideRow(slide, "ok", file=file)) for slide, file in stored.items()
    }
    found = stored_labels(records, read_labels(folder / "l.csv"))
    return {slide: label.label for slide, label in found.items()}


def test_rows_name_stored_slides_by_name_path_or_id(tmp_path: Path) -> None:
    names = {"a": "a.svs", "1.2": "1.2", "1.2.3": "1.2.3", "x_y": "x\u00e4y.tif"}
    rows = "slide,patient,label\na.svs,p,A\n1.2,p,B\n1.2.3,p,C\nxa\u0308y,p,D\n"
    assert matched(tmp_path, names, rows) == {"a": "A", "1.2": "B", "1.2.3": "C", "x_y": "D"}
    paths = {"all--s1--0001": "0001.svs", "all--s2--0001": "0001.svs"}
    rows = "slide,patient,label\ns1/0001.svs,p,A\ns2\\0001,p,B\n"
    assert matched(tmp_path, paths, rows) == {"all--s1--0001": "A", "all--s2--0001": "B"}
    with pytest.raises(UsageError, match=r"the row '0001\.svs' names .* alone"):
        matched(tmp_path, paths, "slide,patient,label\n0001.svs,p,A\n")
    ids = {"X": "0001.svs", "Y": "0001.svs"}
    rows = "slide,id,patient,label\ns1/0001.svs,X,p,A\ns2/0001.svs,Y,p,B\n"
    assert matched(tmp_path, ids, rows) == {"X": "A", "Y": "B"}
    with pytest.raises(UsageError, match="lines 2 and 3 disagree about slide 'X': label 'A' and"):
        matched(tmp_path, ids, "slide,id,patient,label\ns1/1,X,p,A\ns2/1,X,p,B\n")
