"""Names are shown as they are: nothing in them becomes mark-up, a link, a cell or a formula."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from distill.report.formatting import folder_names, markdown
from wsistore.formatting.texts import visible

HOSTILE = [
    "<script>alert(1)</script>",
    "a | b",
    "a\nb\r\n# c",
    "**bold** _em_ `code` ~~gone~~",
    "[link](javascript:alert(1)) ![x](y)",
    "http://example.org/x www.example.org me@example.org",
    r"back\slash \| \\",
    "&lt; &amp; $x^2$",
    "\u202egnp.exe",
    "µm, naïve, 腺癌",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_renders_to_the_name_itself_in_one_cell(name: str) -> None:
    parser = MarkdownIt("gfm-like", {"linkify": False})
    tokens = parser.parse(f"| x {markdown(name)} | next |\n| --- | --- |\n")
    cells = [token for token in tokens if token.type == "inline"]
    assert [token.content != "" for token in cells] == [True, True]
    parts = cells[0].children or []
    assert {part.type for part in parts} <= {"text", "text_special"}
    assert "".join(part.content for part in parts) == f"x {visible(name)}"


def test_folders_of_one_name_are_told_apart_by_their_parents() -> None:
    paths = [Path("x/a/run"), Path("x/b/run"), Path("y/b/run"), Path("other")]
    assert folder_names(paths) == ["a/run", "x/b/run", "y/b/run", "other"]
