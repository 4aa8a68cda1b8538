"""What is printed cannot steer a terminal and does not fail for its encoding."""

import io
import json
import logging
import sys

import pytest
from rich.table import Table

from wsistore import terminal
from wsistore.formatting.console import SafeConsole
from wsistore.formatting.texts import unsafe

HOSTILE = "S\x1b[31m\u202e[bold]x\x9b\ny"
SHOWN = r"S\x1b[31m\u202e[bold]x\u009b"


def printed(console: SafeConsole) -> str:
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert not any(map(unsafe, text.split("\n")))
    return str(text)


def console() -> SafeConsole:
    return SafeConsole(file=io.StringIO(), width=80)


def test_a_line_is_printed_with_escapes_and_brackets() -> None:
    to = console()
    to.print(HOSTILE)
    assert printed(to) == f"{SHOWN}\ny\n"


def test_a_table_shows_names_whole() -> None:
    to, table = console(), Table("[red]slide[/red]", title="[b]t[/b]\x1b]0;x\x07")
    table.add_row(terminal.text(HOSTILE))
    table.add_row("raw\x1b[2J")
    to.print(table)
    text = printed(to)
    assert SHOWN in text
    assert "[red]slide[/red]" in text


def test_styles_of_our_own_reach_a_terminal() -> None:
    to = SafeConsole(file=io.StringIO(), force_terminal=True, color_system="standard")
    to.print("a\x1b[2J", style="red")
    text = to.file.getvalue()  # type: ignore[attr-defined]
    assert r"a\x1b[2J" in text
    assert "\x1b[31m" in text


def test_an_encoding_that_lacks_a_character_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    terminal.prepare_streams()
    terminal.console().print("3 × µm")
    terminal.echo_json({"µ": "ä\udce4"})
    sys.stdout.flush()
    line, _, rest = raw.getvalue().decode("ascii").partition("\n")
    assert line == r"3 \xd7 \xb5m"
    assert json.loads(rest) == {"µ": "ä\udce4"}


def test_a_bar_reads_no_markup() -> None:
    to = SafeConsole(file=io.StringIO(), force_terminal=True, width=120)
    assert list(terminal.track([1, 2], "[bold]run\x1b[2J", to)) == [1, 2]
    text = to.file.getvalue()  # type: ignore[attr-defined]
    assert r"[bold]run\x1b[2J" in text


def test_what_libraries_log_steers_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    terminal.prepare_streams()
    record = logging.makeLogRecord({"msg": "cannot read %s", "args": (HOSTILE,), "levelno": 30})
    assert logging.lastResort is not None
    logging.lastResort.emit(record)
    assert capfd.readouterr().err == f"cannot read {SHOWN}\ny\n"
