"""A few dozen mutants of every kind of input; `make fuzz` tries as many as one likes."""

from __future__ import annotations

import random
from pathlib import Path

import click
import pytest

from tests.behavior.fuzzing import harness
from tests.behavior.fuzzing.case import (
    DEFECT,
    NAMED,
    OTHER,
    REFUSED,
    SAME,
    Case,
    Change,
    NamedFaultError,
    Target,
)
from tests.behavior.fuzzing.mutations import mutate
from tests.wsistore.build.test_builder import build, flat_slide, outcomes
from wsistore.errors import SlideError
from wsistore.verify import verify

SEED = 0
MUTANTS = 40


QUICK = [name for name in harness.targets() if name != "run"]
"""To train a run takes as long as all the others."""


def quick_cases(count: int) -> list[Case]:
    """Return those of the first cases that are of a quick target."""
    cases = [Case(SEED, number) for number in range(count)]
    return [case for case in cases if harness.target_of(case).name in QUICK]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    harness.write_corpus(folder, QUICK)
    return folder


def test_no_mutant_shows_a_defect(corpus: Path, tmp_path: Path) -> None:
    cases = quick_cases(2 * MUTANTS)[:MUTANTS]
    tried = list(harness.try_cases(cases, corpus, tmp_path, 1))
    assert [one for one in tried if one.kind == DEFECT] == []
    assert {one.case for one in tried} == set(cases)
    # the harness tells them apart: a few mutants harm nothing, most are noticed
    assert {SAME, REFUSED, NAMED} <= {one.kind for one in tried}


def test_a_seed_and_a_number_are_one_mutant(corpus: Path) -> None:
    mutants = [harness.mutant(case, corpus) for case in quick_cases(40)]
    assert mutants == [harness.mutant(case, corpus) for case in quick_cases(40)]
    assert len({change.bytes for *_, change in mutants}) > 0.9 * len(mutants)


def test_a_build_of_mutants_names_the_bad_ones_and_stores_the_good(
    corpus: Path, tmp_path: Path
) -> None:
    slides = tmp_path / "slides"
    for case in quick_cases(60):
        if harness.target_of(case).name in ("TIFF", "PNG, JPEG, WebP"):
            harness.write_mutant(case, corpus, tmp_path / "mutant")
            (slide,) = (tmp_path / "mutant").iterdir()
            slides.mkdir(exist_ok=True)
            slide.rename(slides / f"{case.number}{slide.suffix}")
            (tmp_path / "mutant").rmdir()
    flat_slide(slides / "good.tif")
    count = len(list(slides.iterdir()))
    result = build(slides, "--out", tmp_path / "store", "--mpp", 0.5, "--levels", "2.5x")
    assert result.exit_code == 1, result.output
    found = outcomes(tmp_path / "store")
    assert len(found) == count
    assert found["good.tif"] == ("ok", "")
    assert {outcome for outcome, _ in found.values()} >= {"ok", "failed"}
    assert not [reason for _, reason in found.values() if "unexpected" in reason]
    assert verify(tmp_path / "store", workers=0).whole


@pytest.mark.parametrize("suffix", [".tif", ".json", ".csv", ".xml", ".bin"])
def test_mutations_say_where_bytes_differ(suffix: str) -> None:
    data = b'{"a": [1, 2, {"b": 3}],\n"c": "d"}\n'
    for number in range(200):
        change = mutate(random.Random(number), data, suffix)
        if change.overwritten is not None:
            first, last = change.overwritten
            assert len(change.bytes) == len(data)
            assert change.bytes[:first] == data[:first]
            assert change.bytes[last + 1 :] == data[last + 1 :]


def refuses(*_: object) -> str:
    raise SlideError("s.tif: is damaged")


def quotes(*_: object) -> str:
    raise SlideError("unexpected KeyError: 'x'")


def says_much(*_: object) -> str:
    raise click.ClickException("one line\n" + "x" * 2501)


def names(*_: object) -> str:
    raise NamedFaultError("zarr.json: is damaged; mend it")


def raises(*_: object) -> str:
    raise KeyError("x")


@pytest.mark.parametrize(
    ("answer", "noticed", "kind"),
    [
        (lambda *_: "as it was", True, SAME),
        (lambda *_: "another", False, OTHER),
        (lambda *_: "another", True, DEFECT),
        (refuses, True, REFUSED),
        (quotes, False, DEFECT),
        (says_much, False, DEFECT),
        (names, True, NAMED),
        (raises, False, DEFECT),
    ],
)
def test_the_judge(
    answer: object, noticed: bool, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(harness._references, tmp_path, "as it was")
    target = Target("x", print, lambda _: [], answer, lambda *_: noticed)  # type: ignore[arg-type]
    change = Change("nothing", b"")
    found, _ = harness._judge(target, tmp_path, tmp_path, change, tmp_path, Case(0, 0))
    assert found == kind
