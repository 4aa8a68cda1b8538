from pathlib import Path

import pytest

from wsistore.errors import UsageError
from wsistore.slides.labels import Label, Labels, match_labels, read_labels
from wsistore.slides.slide import SlideFile


def label_of(slide: Path, labels: Labels) -> Label:
    (found,) = match_labels([SlideFile.named(slide)], labels)
    return found


def labels(folder: Path, text: str) -> Labels:
    (folder / "l.csv").write_text(text)
    return read_labels(folder / "l.csv")


def test_trailing_commas_shift_nothing(tmp_path: Path) -> None:
    # each slide is of a patient of its name, so that a shift would look right
    found = labels(tmp_path, "slide,patient,label\nS1,S1,tumour,\nS2,S2,normal,\n")
    assert dict(found) == {"S1": Label("S1", "tumour"), "S2": Label("S2", "normal")}
    assert [label.line for label in found.values()] == [2, 3]


def test_rows_that_disagree_are_named_and_repeats_are_not(tmp_path: Path) -> None:
    text = "slide,patient,label,mpp\nS1,P1,a,0.5\nS2,P2,b,\nS1,P1,a,0.50\n"
    assert dict(labels(tmp_path, text)) == {"S1": Label("P1", "a", 0.5), "S2": Label("P2", "b")}
    with pytest.raises(
        UsageError,
        match=r"lines 2 and 5 disagree about slide 'S1': patient 'P1' and 'P9' and label 'a' and",
    ):
        labels(tmp_path, text + "S1,P9,b,0.5\n".replace("\nS1", "", 1))


def test_a_name_and_its_stem_are_one_slide(tmp_path: Path) -> None:
    found = labels(tmp_path, "slide,patient,label\nS1,P1,a\nS1.svs,P1,b\nS2.svs,P2,c\nS2,P2,c\n")
    assert label_of(Path("/x/S2.svs"), found) == Label("P2", "c")
    assert label_of(Path("/x/S1.tif"), found) == Label("P1", "a")
    assert label_of(Path("/x/S3.svs"), found) == Label()
    with pytest.raises(
        UsageError,
        match=r"l\.csv: the rows 'S1' and .* lines 2 and 3 disagree about slide 'S1\.svs'",
    ):
        label_of(Path("/x/S1.svs"), found)


def test_numbers_with_decimal_commas(tmp_path: Path) -> None:
    found = labels(tmp_path, "slide;patient;label;mpp\nS1;P1;a;0,2520\nS2;P2;a;\nS3;P3;a;1\n")
    assert [label.mpp for label in found.values()] == [0.252, None, 1.0]
    for text in ("fine", "0", "-1", "nan", "inf", "1,000,0"):
        with pytest.raises(UsageError, match="line 2: slide 'S1' has mpp"):
            labels(tmp_path, f"slide;patient;label;mpp\nS1;P1;a;{text}\n")


def test_a_row_without_a_slide_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 3 names no slide"):
        labels(tmp_path, "slide,patient,label\nS1,P1,a\n,P2,b\n")
