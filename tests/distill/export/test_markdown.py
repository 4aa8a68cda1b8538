"""Values in a card are shown as they are written, whatever they are."""

import pytest
from markdown_it import MarkdownIt

from distill.export.markdown import table, text

ODD = [
    'a, odd "name"',
    "<script>alert(1)</script>",
    "a | b",
    "**bold** _x_ `code` ~~gone~~",
    "[link](http://evil.example)",
    "![picture](x.png)",
    "&lt; &amp; &",
    "back\\slash\\| |",
    "http://evil.example and www.evil.example",
    "<http://evil.example>",
    "# 5 $x$ @someone",
    "ratio 1:2, and: so",
]


@pytest.mark.parametrize("value", ODD)
def test_a_value_is_text_in_a_line_and_in_a_cell(value: str) -> None:
    reader = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    line = reader.parse("Class " + text(value) + " ends")
    assert [token.type for token in line] == ["paragraph_open", "inline", "paragraph_close"]
    kinds = {token.type for token in line[1].children or []}
    assert kinds <= {"text", "text_special"}
    shown = "".join(token.content for token in line[1].children or [])
    assert shown == f"Class {value} ends"
    cells = [
        "".join(child.content for child in token.children or [])
        for token in reader.parse("\n".join(table(("one", "two"), [(value, "last")])))
        if token.type == "inline"
    ]
    assert cells == ["one", "two", value, "last"]


def test_a_value_stays_on_its_line() -> None:
    assert text("a\n\n# b\r\x00\u2028c") == "a  \\# b   c"


def test_links_without_markup_are_broken_up() -> None:
    assert text("http://x WWW.x a@b") == "http\\://x WWW\\.x a\\@b"
