"""What a labels table says of some slides, in numbers and in sentences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from wsistore.cli.main import main
from wsistore.slides.label_matching import ClassCount, LabelReport, Unmatched, label_report
from wsistore.slides.labels import match_labels, read_labels
from wsistore.slides.slide import SlideFile

SLIDES = ["S1.svs", "S2.svs", "S 3.tif", "x.svs"]


def report(folder: Path, *rows: str) -> LabelReport:
    (folder / "l.csv").write_text("\n".join(["slide,patient,label", *rows]))
    table = read_labels(folder / "l.csv")
    slides = [SlideFile.named(Path("/x") / name) for name in SLIDES]
    return label_report(slides, match_labels(slides, table), table)


def test_rows_that_say_the_same_of_one_slide_are_both_used(tmp_path: Path) -> None:
    assert report(tmp_path, "S1,P1,b", "S1.svs,P1,b", "x/S1,P1,b").rows == ()


def test_classes_patients_and_what_does_not_match(tmp_path: Path) -> None:
    found = report(tmp_path, "S1,P1,b", "S2.svs,P1,", "S_3,P2,a", "s1.tif,P2,a", "y,P3,a")
    assert found == LabelReport(
        classes=(ClassCount("b", 1, 1), ClassCount(None, 3, 3)),
        patients=3,  # P1, and two slides that are their own
        unknown_patients=2,
        rows=(
            Unmatched("S_3", 4, ("S 3.tif",)),
            Unmatched("s1.tif", 5, ("S1.svs",)),
            Unmatched("y", 6, ()),
        ),
        slides=(Unmatched("S 3.tif", None, ("S_3",)), Unmatched("x.svs", None, ())),
        warnings=(),
    )


@pytest.mark.parametrize("word", ["NA", "n/a", "NaN", "None", "null", "Unknown", "?", "-", "#N/A"])
def test_words_for_unknown_are_names_and_said_to_be(tmp_path: Path, word: str) -> None:
    found = report(tmp_path, f"S1,P1,{word}", f"S2,{word},a", f"S 3,{word},{word}", "x,P2,a")
    assert found.warnings == (
        f"2 slides have the label {word!r}, which is taken as a class; leave the cell empty if it "
        "means unknown",
        f"2 slides have the patient {word!r}, which is taken as one person, whom no split parts; "
        "leave the cell empty if it means unknown",
    )
    assert found.patients == 3


def test_names_spelled_nearly_alike(tmp_path: Path) -> None:
    found = report(tmp_path, "S1,P1,Normal", "S2,P01,normal", "S 3,P2,normal", "x,p2,ER+")
    assert found.warnings == (
        "the classes 'Normal' (1) and 'normal' (2) may be one; they are taken as 2",
        "the patients 'P01' and 'P1' may be one; they are taken as 2, and a split may put them "
        "into different subsets",
        "the patients 'P2' and 'p2' may be one; they are taken as 2, and a split may put them "
        "into different subsets",
    )


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    image = np.full((512, 512, 3), 242, np.uint8)
    image[100:400, 100:400] = (200, 120, 170)
    (tmp_path / "slides").mkdir()
    for name in ("S1", "S2"):
        tifffile.imwrite(
            tmp_path / "slides" / f"{name}.tif", image, tile=(256, 256), photometric="rgb",
            resolution=(20000, 20000), resolutionunit="CENTIMETER",
        )  # fmt: skip
    (tmp_path / "l.csv").write_text("slide,patient,label\nS1,P1,NA\ns-2.tif,P2,b\nz,P3,b\n")
    return tmp_path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_the_plan_says_all(slides: Path) -> None:
    table = slides / "l.csv"
    result = run("plan", slides / "slides", "--labels", table, "--levels", "10x")
    assert result.exit_code == 0, result.output
    for line in (
        f"{table}: line 3 names 's-2.tif', which is none of the slides given; is it 'S2.tif'?",
        f"{table}: line 4 names 'z', which is none of the slides given",
        f"{table}: no row names S2.tif; is it 's-2.tif'?",
        f"{table}: 1 slide has the label 'NA', which is taken as a class; leave the cell empty if "
        "it means unknown",
    ):
        assert line in result.output.splitlines()
    result = run("plan", slides / "slides", "--labels", table, "--levels", "10x", "--json")
    found = json.loads(result.stdout)
    assert [slide["file"] for slide in found["slides"]] == ["S1.tif", "S2.tif"]
    assert found["labels"]["rows"][0] == {"name": "s-2.tif", "line": 3, "near": ["S2.tif"]}
    assert found["labels"]["classes"] == [
        {"label": "NA", "patients": 1, "slides": 1}, {"label": None, "patients": 1, "slides": 1},
    ]  # fmt: skip


def test_the_build_says_it_in_short(slides: Path) -> None:
    table = slides / "l.csv"
    result = run(
        "build", slides / "slides", "--out", slides / "st", "--labels", table, "--levels", "10x",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for line in (
        f"{table}: 2 rows name slides not given (s-2.tif, near S2.tif; z)",
        f"{table}: 1 slide has no row (S2.tif, near s-2.tif)",
        f"{table}: 1 slide has the label 'NA', which is taken as a class; leave the cell empty if "
        "it means unknown",
    ):
        assert line in result.output.splitlines()


def test_rows_that_disagree_end_both_and_make_nothing(slides: Path) -> None:
    table = slides / "l.csv"
    table.write_text("slide,patient,label\nS1,P1,a\nS2,P2,b\nS1.tif,P1,b\n")
    for arguments in (("plan",), ("build", "--out", slides / "st")):
        command, *rest = arguments
        result = run(command, slides / "slides", *rest, "--labels", table, "--levels", "10x")
        assert result.exit_code == 2
        assert "lines 2 and 4 disagree about slide 'S1.tif': label 'a' and 'b'" in result.output
    assert not (slides / "st").exists()
