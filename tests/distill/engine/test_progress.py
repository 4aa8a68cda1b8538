import io
import re

import pytest
from rich.console import Console as RichConsole

from distill.data.subsets import left_out_note
from distill.engine.progress import Console, epoch_line

RECORD = {
    "epoch": 2,
    "train": {"loss": 0.51234, "accuracy": 0.75},
    "val": {"loss": 0.4, "accuracy": 1.0},
    "kept": True,
    "seconds": 12.34,
}


def test_an_epoch_is_one_line() -> None:
    assert epoch_line(RECORD, 9) == (
        "epoch 2/9  train loss 0.5123  accuracy 0.7500  val loss 0.4000  accuracy 1.0000"
        "  (12.3 s)  kept"
    )
    del (other := {**RECORD, "kept": False})["val"]
    assert epoch_line(other, 9) == "epoch 2/9  train loss 0.5123  accuracy 0.7500  (12.3 s)"
    start = {key: value for key, value in {**RECORD, "epoch": 0}.items() if key != "train"}
    assert epoch_line(start, 9) == (
        "epoch 0/9 (before training)  val loss 0.4000  accuracy 1.0000  (12.3 s)  kept"
    )


def test_what_is_left_out_is_counted_and_the_first_are_named() -> None:
    two = {"a/0": "has no label", "b/0": "has no level 10x"}
    assert left_out_note("val", two) == (
        "left out 2 val crops: a/0 has no label; b/0 has no level 10x"
    )
    many = {f"{letter}/0": "has no label" for letter in "abcde"}
    assert left_out_note("train", many).endswith("c/0 has no label; 2 more in config.json")


def test_a_file_gets_lines_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Console(9, 4, RichConsole(file=io.StringIO())) as console:
        console.crop(1, "train")
        console.epoch(RECORD)
    assert capsys.readouterr().out == epoch_line(RECORD, 9) + "\n"


def test_a_terminal_gets_a_bar_with_rate_and_time_left() -> None:
    written = io.StringIO()
    terminal = RichConsole(file=written, force_terminal=True, width=100, color_system=None)
    with Console(2, 4, terminal) as console:
        for _ in range(3):
            console.crop(1, "train")
        console.crop(1, "val")
        console.epoch(RECORD)
    shown = written.getvalue()
    assert epoch_line(RECORD, 2) in shown.replace("\r\n", "\n")
    assert re.search(r"epoch 1/2 val .* 4/8 \d+\.\d\d crops/s \d:\d\d:\d\d", shown)
