"""Tables as spreadsheets, R and people write them: read as they are, or refused with the reason."""

import zipfile
from pathlib import Path

import pytest

from wsistore.errors import UsageError
from wsistore.files.user_table import UserTable, read_user_table

NEEDED = [("slide",), ("patient",), ("label",)]
TEXT = "slide,patient,label\nS1,P1,Entzündung\nS2,P2,normal\n"
WANTED = [(2, "S1", "P1", "Entzündung"), (3, "S2", "P2", "normal")]


def read(folder: Path, content: str | bytes) -> UserTable:
    file = folder / "t.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_user_table(file, "--labels", NEEDED, ["mpp"])


def rows(table: UserTable) -> list[tuple[object, ...]]:
    return [(row.line, row["slide"], row["patient"], row["label"]) for row in table.rows]


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(UsageError) as caught:
        read(folder, content)
    text = str(caught.value)
    assert text.startswith(f"--labels {folder / 't.csv'}: ")
    return text.removeprefix(f"--labels {folder / 't.csv'}: ")


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.replace(",", ";").encode("utf-8-sig"),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", "\t").encode("utf-16"),
        TEXT.encode("utf-16-le").join((b"\xff\xfe", b"")),
        TEXT.encode("utf-16-be").join((b"\xfe\xff", b"")),
        TEXT.encode("utf-32"),
        TEXT.encode("cp1252"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace(",", ", ").encode(),
        TEXT.replace(",", " ,").encode(),
        TEXT.replace("slide,patient,label", " Slide , PATIENT,Label").encode(),
        (TEXT + ",,\n , ,\n\n").encode(),
        TEXT.replace("\n", ",\n").encode(),
        TEXT.replace("\n", ",,,\n").replace(",,,", "", 1).encode(),
        'slide,patient,label\n"S1","P1","Entzündung"\n"S2", "P2", "normal"\n'.encode(),
        TEXT.replace("S1", "\u200bS1\u00a0").encode(),
        TEXT.replace("Entz", "\u00a0Entz").encode("cp1252"),
    ],
)
def test_what_spreadsheets_write_is_the_same_table(tmp_path: Path, content: bytes) -> None:
    assert rows(read(tmp_path, content)) == WANTED


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    table = read(
        tmp_path, 'sep=;\n\nslide;label;patient;note\n\nS1;a;P1;"two\nlines"\nS2;b;P2;"x;y"\n'
    )
    assert rows(table) == [(5, "S1", "P1", "a"), (7, "S2", "P2", "b")]
    assert table.columns == ("slide", "patient", "label")


def test_only_named_columns_are_read_wherever_they_are(tmp_path: Path) -> None:
    # R's write.csv numbers rows in a column without a name; nobody reads the two notes
    table = read(tmp_path, '"","note","mpp","label","patient","slide","note"\n"1",,0.5,a,P1,S1,\n')
    assert rows(table) == [(2, "S1", "P1", "a")]
    assert table.rows[0]["mpp"] == "0.5"


def test_cells_are_text_and_a_break_in_one_is_a_space(tmp_path: Path) -> None:
    text = 'slide,patient,label\n001,NA,"grade ""3"", a\r\nb"\n1e3,,None\nnull,007\n'
    assert rows(read(tmp_path, text)) == [
        (2, "001", "NA", 'grade "3", a b'), (4, "1e3", "", "None"), (5, "null", "007", ""),
    ]  # fmt: skip


def test_a_guessed_encoding_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, TEXT).notes == ()
    assert read(tmp_path, TEXT.encode("cp1252")).notes == (
        "it is not UTF-8 and was read as Windows-1252, such as 'Entzündung'",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # cells beside the header: an unquoted comma, R's write.table, a decimal comma
        ("slide,patient,label,note\nS1,S1,tumour,pale, fixed late\nS2,S2,normal,\n",
         "line 2 has 5 cells, the header 4"),
        ("slide,patient,label\nS1,P1,a\nS2,P2,b,\nS3,P3,c,d\n", "line 4 has 4 cells, the header 3"),
        ('"slide","patient","label"\n"1","S1","P1","a"\n', "line 2 has 4 cells, the header 3"),
        ("slide,patient,label,mpp\nS1,P1,a,0,25\n", "line 2 has 5 cells, the header 4"),
        ("slide;patient;label\nS1,P1,a\n", "line 2 is one cell, 'S1,P1,a'"),
        ("slide|patient|label\nS1|P1|a\n", "its one column is 'slide|patient|label'"),
        ("slide;label\nS1;a\n", "lacks the column patient (it has slide, label)"),
        ("Slide ID,Case,Diagnosis\nS1,P1,a\n",
         "lacks the column slide and patient and label (it has Slide ID, Case, Diagnosis)"),
        ("slide,patient,label,Label\nS1,P1,a,b\n", "columns 3 and 4 are both called 'label'"),
        ("slide,patient,label\n", "has a header and no row below it"),
        ("", "is empty"),
        (" , ,\n\n", "is empty"),
        ('slide,patient,label\nS1,P1,"a\nS2,P2,b\n', "row that begins in line 2 cannot be read"),
        ('slide,patient,label\nS1,P1,a\n"S2"x,P2,b\n', "begins in line 3 cannot be read"),
        ("slide,patient,label\nS1,P1,a\x07\n", "line 2 has a control character in its label"),
        (b"slide,patient,label\nS1,P1,a\0\n", "holds a NUL byte in line 2"),
        (TEXT.encode("utf-16-le"), "is UTF-16 without its byte order mark"),
        (TEXT.encode("utf-16")[:-1], "starts as UTF-16 and is damaged"),
        ("slide,patient,label\nS1,P1,Опухоль\n".encode("cp1251"), "is neither UTF-8 nor plainly"),
        ("slide,patient,label\nS1,P1,wątroba\n".encode("cp1250"), "(byte 0xb9 in line 2)"),
        ("slide,patient,label\nS1,P1,Entzündung\n".encode("mac-roman"), "is neither UTF-8 nor"),
        ("slide,patient,label\nS1,P1,腫瘍\n".encode("shift-jis"), "is neither UTF-8 nor plainly"),
        ("slide,patient,label\nS1,P1,肿瘤\n".encode("gbk"), "is neither UTF-8 nor plainly"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook, not a table of text"),
        (b"II*\0\x08\0\0\0", "is a TIFF image, not a table of text"),
    ],
)  # fmt: skip
def test_what_may_be_misread_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(tmp_path, content)


def test_what_is_no_table_says_how_to_save_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.csv", "w") as workbook:
        workbook.writestr("xl/workbook.xml", "<workbook/>")
    content = (tmp_path / "t.csv").read_bytes()
    assert refusal(tmp_path, content) == (
        "is an Excel or OpenDocument workbook, not a table of text; save it as 'CSV UTF-8' (comma "
        "delimited)"
    )
    assert "save it as 'CSV UTF-8'" in refusal(tmp_path, "slide|patient|label\n")
    assert "save it as 'CSV UTF-8'" in refusal(tmp_path, TEXT.encode("utf-16-le"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--labels .*none\.csv: cannot be read: No such file"):
        read_user_table(tmp_path / "none.csv", "--labels", NEEDED)
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_user_table(tmp_path, "--labels", NEEDED)


def test_one_of_several_names_is_enough(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Subset\tCase\ntrain\tP1\n")
    table = read_user_table(tmp_path / "t.csv", "--from-csv", [("subset",), ("slide", "case")])
    assert (table.columns, table.rows[0].cells) == (
        ("subset", "case"), {"subset": "train", "case": "P1"},
    )  # fmt: skip
    (tmp_path / "t.csv").write_text("subset,who\ntrain,P1\n")
    with pytest.raises(UsageError, match=r"lacks the column slide or case \(it has subset, who\)"):
        read_user_table(tmp_path / "t.csv", "--from-csv", [("subset",), ("slide", "case")])
