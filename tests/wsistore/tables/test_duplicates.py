"""One file under two names: warned of in builds, named by info, a leak in splits."""

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from tests.wsistore.slides.test_ids import write_slide
from wsistore.cli.main import main
from wsistore.tables.duplicates import Duplicates
from wsistore.tables.records import SlideRow


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def warnings(store: Path) -> dict[str, str]:
    with (store / "slides.csv").open(newline="") as file:
        return {row["slide"]: row["warning"] for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of six patients a class, of which PA0 and PB0 have one file, and its slides."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = ["slide,patient,label"]
    for number in range(6):
        for side, label in (("A", "x"), ("B", "y")):
            slide = folder / "slides" / f"{side}{number}.tif"
            if slide.stem == "B0":
                shutil.copy(folder / "slides" / "A0.tif", slide)
            else:
                write_slide(slide, 2 * number + (side == "B"))
            rows.append(f"{slide.stem},P{slide.stem},{label}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def store(cohort: Path) -> Path:
    out = cohort / "store"
    result = run("build", cohort / "slides", "--labels", cohort / "labels.csv", "--out", out,
                 "--levels", "5x", "--workers", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "B0.tif: ok, 1 crops, 1 µm/px (file); it is the same file as slide 'A0'" in result.output
    return out


def test_a_build_warns_of_both_slides_and_the_store_is_whole(cohort: Path, store: Path) -> None:
    found = {slide: text for slide, text in warnings(store).items() if text}
    assert found == {
        "A0": "it is the same file as slide 'B0' (patient 'PB0')",
        "B0": "it is the same file as slide 'A0' (patient 'PA0')",
    }
    again = run("build", cohort / "slides" / "A0.tif", "--labels", cohort / "labels.csv", "--out",
                store, "--levels", "5x")  # fmt: skip
    assert "A0.tif: stored before; it is the same file as slide 'B0'" in again.output
    assert run("verify", store).exit_code == 0
    # as an earlier version wrote the table; but a warning of another kind is none of the store's
    text = (store / "slides.csv").read_text()
    try:
        plain = text
        for sentence in found.values():
            plain = plain.replace(sentence, "")
        (store / "slides.csv").write_text(plain)
        assert run("verify", store).exit_code == 0
        (store / "slides.csv").write_text(text.replace("(patient 'PA0')", "(patient 'PA1')"))
        assert "row 'B0' has warning" in run("verify", store).output
    finally:
        (store / "slides.csv").write_text(text)


def test_info_names_files_that_are_there_twice(store: Path) -> None:
    result = run("info", store)
    assert "the same file under 2 names: A0 (patient PA0), B0 (patient PB0)" in result.output
    (group,) = json.loads(run("info", store, "--json").stdout)["duplicates"]
    assert group == [{"slide": "A0", "patient": "PA0"}, {"slide": "B0", "patient": "PB0"}]


@pytest.mark.parametrize("seed", range(4))
def test_patients_of_one_file_are_kept_together(store: Path, seed: int) -> None:
    result = run("split", store, "--name", "main", "--fractions", "50/0/50", "--seed", seed,
                 "--overwrite")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "patients PA0 and PB0 (slides A0, B0) share a slide's file" in result.output
    table = pd.read_csv(store / "splits" / "main.csv").set_index("patient")["subset"]
    assert table["PA0"] == table["PB0"]
    checked = run("split", store, "--check", "--name", "main")
    assert (checked.exit_code, checked.output) == (0, "split main: no faults\n")


@pytest.mark.parametrize("arguments", [("--folds", 3), ("--folds", 2, "--no-val"),
    ("--patients-per-class", 3, "--aux", "2,4"), ("--counts", "1/1/1", "--dev", 1)])  # fmt: skip
def test_also_in_folds_development_and_auxiliary_sets(
    store: Path, arguments: tuple[object, ...]
) -> None:
    for seed in range(3):
        result = run("split", store, "--name", "s", "--seed", seed, "--overwrite", *arguments)
        assert result.exit_code == 0, result.output
        assert run("split", store, "--check", "--name", "s").exit_code == 0


@pytest.mark.parametrize(("one", "other", "leaks"), [("train", "test", True),
    ("dev", "aux1", True), ("train", "mine", True), ("train", "train", False),
    ("train", "excluded", False)])  # fmt: skip
def test_a_split_that_cuts_a_file_apart_is_a_leak_wherever_it_is_judged(
    store: Path, tmp_path: Path, one: str, other: str, leaks: bool
) -> None:
    said = "slides 'A0' (patient 'PA0') and 'B0' (patient 'PB0') are the same file"
    own = tmp_path / "own.csv"
    own.write_text(f"slide,subset\nA0,{one}\nB0.tif,{other}\n")
    refused = run("split", store, "--name", "own", "--from-csv", own, "--overwrite")
    assert (refused.exit_code, said in refused.output) == (2 if leaks else 0, leaks)
    checked = run("split", store, "--check", "--from-csv", own)
    assert (checked.exit_code, said in checked.output) == (int(leaks), leaks)
    path = store / "splits" / "hand.csv"
    rows = [
        (f"{name}/0", name, f"P{name}", "", subset) for name, subset in (("A0", one), ("B0", other))
    ]
    pd.DataFrame(rows, columns=["crop", "slide", "patient", "label", "subset"]).to_csv(
        path, index=False
    )
    try:
        for result in (run("split", store, "--check", "--name", "hand"), run("verify", store)):
            assert (result.exit_code, said in result.output) == (int(leaks), leaks)
    finally:
        path.unlink()


def test_a_slide_that_is_replaced_is_no_duplicate_any_more() -> None:
    a, b = SlideRow("a", "ok", fingerprint="1", patient="p"), SlideRow("b", "ok", fingerprint="1")
    known = Duplicates([a, b, SlideRow("c", "failed"), SlideRow("d", "failed")])
    assert known.of(b) == "it is the same file as slide 'a' (patient 'p')"
    assert known.of(SlideRow("c", "failed")) == ""
    known.add(SlideRow("a", "ok", fingerprint="2"))
    assert known.of(b) == ""
    assert known.warned(b) == b
