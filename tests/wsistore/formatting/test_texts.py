"""No text steers what shows it, is taken for a formula, or tells where files lie."""

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest

from wsistore.files.paths import file_name
from wsistore.formatting.texts import (
    csv_cell,
    csv_value,
    json_text,
    unsafe,
    visible,
    without_folders,
)


def test_what_steers_a_terminal_is_shown_as_its_escape() -> None:
    assert visible("a\nb\t\x1b[31m\x7f\x00c") == r"a\x0ab\x09\x1b[31m\x7f\x00c"
    assert visible("\x9b31m \u202egnp \u2066 \u2028") == r"\u009b31m \u202egnp \u2066 \u2028"
    assert visible(os.fsdecode(b"Pr\xe4parat")) == r"Pr\xe4parat"


def test_what_is_plain_text_stays() -> None:
    for text in ("95\u00a0% µ 腺", "می\u200cخواهم", "a\\x1b", "👩\u200d🔬", ""):
        assert visible(text) == text
        assert unsafe(text) == ""


def original(name: str) -> bytes:
    """The bytes of a file's name, from what `file_name` made of it."""
    data = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), name).encode()
    return re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), data)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"Pr\xe4parat.svs", r"Pr\xe4parat.svs"),
        ("Präparat.svs".encode(), "Präparat.svs"),
        (rb"Pr\xe4parat.svs", r"Pr\x5cxe4parat.svs"),
        (rb"a\b\new.svs", r"a\b\new.svs"),
        (b"\\\xe4", r"\\xe4"),
        (b"a\x1b[31m\n.svs", r"a\x1b[31m\x0a.svs"),
        ("a\u202ebc\x85".encode(), r"a\u202ebc\u0085"),
        (rb"a\u202eb", r"a\x5cu202eb"),
        (b"\xff\xfe.tif", r"\xff\xfe.tif"),
    ],
)
def test_each_file_name_has_a_text_of_its_own(name: bytes, shown: str) -> None:
    assert file_name(os.fsdecode(name)) == shown
    assert original(shown) == name
    assert unsafe(shown) == ""


@pytest.mark.parametrize(
    "text", ["=cmd|'/c calc'!A0", "+1+1", "-1-1", "@x", "  =x", "\t=x", "\rx", "\n=x", "＝x", "'=x"]
)
def test_a_spreadsheet_finds_no_formula_and_reading_back_finds_the_text(text: str) -> None:
    written = io.StringIO()
    csv.writer(written).writerow([csv_cell(text)])
    (read,) = next(csv.reader(io.StringIO(written.getvalue(), newline="")))
    assert read == f"'{text}"
    assert csv_value(read) == text


@pytest.mark.parametrize("text", ["-1.5", "+3", "-1e-05", "celiac sprue, (a-b) = c", "'a'", ""])
def test_numbers_and_plain_names_stay_as_they_are_in_csv(text: str) -> None:
    assert csv_cell(text) == csv_value(text) == text


def test_json_for_terminals_is_equal_and_holds_nothing_unsafe() -> None:
    value = {"Größe": ["\x1b[31m\x9b\u202e", os.fsdecode(b"\xe4")], "n": 1.5}
    text = json_text(value)
    assert json.loads(text) == value
    assert "Größe" in text
    assert not any(map(unsafe, text.split("\n")))


def test_of_paths_remains_what_is_below_the_place_that_was_given(tmp_path: Path) -> None:
    folder = tmp_path / "my slides (2)"
    said = f"[Errno 5] Input/output error: '{folder}/deep/a.svs' (in {folder}, {tmp_path}/b/c.tif)"
    assert without_folders(said, folder) == (
        "[Errno 5] Input/output error: 'deep/a.svs' (in my slides (2), c.tif)"
    )


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("cannot open /home/a/b.svs: no", "cannot open b.svs: no"),
        ("'/mnt/Dr. A/Jane Doe/b c.svs' is damaged", "'b c.svs' is damaged"),
        ("file:///scratch/x/y is none", "y is none"),
        (r"C:\Users\jane\b.svs: no", "b.svs: no"),
        ("s3://bucket/store/a and 0.5 µm/px, 1/2", "s3://bucket/store/a and 0.5 µm/px, 1/2"),
        ("slides/S1/0: is missing", "slides/S1/0: is missing"),
    ],
)
def test_of_other_absolute_paths_the_last_part_remains(said: str, shown: str) -> None:
    assert without_folders(said) == shown


def test_a_place_is_no_part_of_another_path() -> None:
    assert without_folders("/mnt/data/x/y.svs and /data/x/y.svs", "/data") == "y.svs and x/y.svs"
    assert without_folders("/data.old/x.svs, /data: gone", "/data") == "x.svs, data: gone"


def test_a_link_to_the_place_is_the_place(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    assert without_folders(f"{real}/a.svs and {link}/a.svs", link) == "a.svs and a.svs"


def test_the_home_folder_is_not_named() -> None:
    assert without_folders(f"cannot write to {Path.home()}: full") == "cannot write to ~: full"
