"""No message is longer than people read, whatever it quotes."""

import pytest

from distill.errors import RunError
from wsistore.errors import (
    LONGEST,
    LONGEST_COMMAND,
    SlideError,
    StorageError,
    StoreError,
    shortened,
)


@pytest.mark.parametrize(
    ("kind", "longest"),
    [
        (SlideError, LONGEST),
        (StoreError, LONGEST_COMMAND),
        (StorageError, LONGEST_COMMAND),
        (RunError, LONGEST_COMMAND),
    ],
)
def test_a_message_that_quotes_a_long_list_keeps_its_ends(
    kind: type[Exception], longest: int
) -> None:
    many = ", ".join(["UNSPECIFIED"] * 65_532)
    said = str(kind(f"s.tif: its samples are {many}; convert it first"))
    assert len(said) == longest
    assert said.startswith("s.tif: its samples are UNSPECIFIED")
    assert said.endswith("; convert it first")
    assert "(851,95" in said


def test_what_is_short_stays() -> None:
    for text in ("", "s.tif: no tissue was found", "x" * LONGEST):
        assert shortened(text) == text
        assert str(SlideError(text)) == text
    runs = ", ".join(f"/a/study/with/a/name/runs/student-{seed}" for seed in range(20))
    assert str(RunError(f"{runs}; run: {runs}")) == f"{runs}; run: {runs}"


@pytest.mark.parametrize("length", [LONGEST + 1, 1000, 10**6])
def test_what_is_long_is_as_long_as_it_may_be(length: int) -> None:
    assert len(shortened("x" * length)) == LONGEST
