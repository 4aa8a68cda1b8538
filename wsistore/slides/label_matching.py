"""How a labels table fits the slides: classes, patients, what does not match, what looks odd."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wsistore.slides.labels import Label, Labels, unmatched
from wsistore.slides.near_names import file_key, quoted, similar_names
from wsistore.slides.slide import SlideFile

UNKNOWN_WORDS = frozenset({
    "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "none", "null", "nil", "unknown", "unk",
    "undefined", "missing", "not available", "tbd", "?", "??", "???", "-", "--", "–", "—", ".",
})  # fmt: skip
"""What programs and people write for "not known", in lower case; here they are names."""


@dataclass(frozen=True)
class ClassCount:
    """How many slides, and patients of these, have a label; None is no label."""

    label: str | None
    patients: int
    slides: int


@dataclass(frozen=True)
class Unmatched:
    """A row that names no slide, or a slide that no row names.

    Attributes:
        name: as the table writes it, or the file's name.
        line: of the row; None of a slide.
        near: names of slides, or of rows, that may be meant.
    """

    name: str
    line: int | None
    near: tuple[str, ...]


@dataclass(frozen=True)
class LabelReport:
    """How a labels table fits some slides.

    Attributes:
        classes: sorted, slides without a label last.
        patients: how many there are; a slide of an unknown patient is its own.
        unknown_patients: slides of which the table gives no patient.
        rows: that name none of the slides.
        slides: that no row names.
        warnings: sentences on what had to be guessed, and on what may not be meant.
    """

    classes: tuple[ClassCount, ...]
    patients: int
    unknown_patients: int
    rows: tuple[Unmatched, ...]
    slides: tuple[Unmatched, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON knows it."""
        return asdict(self)


def label_report(slides: Sequence[SlideFile], given: Sequence[Label], table: Labels) -> LabelReport:
    """Compare a labels table with slides.

    Args:
        slides: the slides.
        given: what the table says of each; an empty label without ``line`` where no row names it.
        table: the table.
    """
    patients = [label.patient or slide.slide for slide, label in zip(slides, given, strict=True)]
    used = {label.line for label in given}
    strange = {name: table[name].line for name in unmatched(slides, table)}
    rows = {name: line for name, line in strange.items() if line not in used}
    bare = [file.file for file, label in zip(slides, given, strict=True) if label.line is None]
    return LabelReport(
        classes=tuple(_classes(patients, given)),
        patients=len(set(patients)),
        unknown_patients=sum(1 for label in given if not label.patient),
        rows=tuple(_unmatched(rows, (slide.file for slide in slides))),
        slides=tuple(_unmatched(dict.fromkeys(bare), table)),
        warnings=(*table.notes, *_warnings(given)),
    )


def _classes(patients: Sequence[str], given: Sequence[Label]) -> Iterator[ClassCount]:
    slides: dict[str, list[str]] = defaultdict(list)
    for patient, label in zip(patients, given, strict=True):
        slides[label.label].append(patient)
    for name in sorted(slides, key=lambda name: (not name, name)):
        yield ClassCount(name or None, len(set(slides[name])), len(slides[name]))


def _unmatched(names: dict[str, int | None], others: Iterable[str]) -> Iterator[Unmatched]:
    known = defaultdict(list)
    for other in others:
        known[file_key(other)].append(other)
    for name, line in names.items():
        yield Unmatched(name, line, tuple(known[file_key(name)]))


def _warnings(given: Sequence[Label]) -> Iterator[str]:
    labels = [label.label for label in given if label.label]
    named = [label.patient for label in given if label.patient]
    for word, count in _unknown(labels):
        yield (
            f"{slides_text(count)} the label {word!r}, which is taken as a class; leave the cell "
            "empty if it means unknown"
        )
    for word, count in _unknown(named):
        yield (
            f"{slides_text(count)} the patient {word!r}, which is taken as one person, whom no "
            "split parts; leave the cell empty if it means unknown"
        )
    for group in similar_names(labels):
        counts = (f"{_other(name, group[0])} ({labels.count(name)})" for name in group)
        yield f"the classes {' and '.join(counts)} may be one; they are taken as {len(group)}"
    for group in similar_names(named):
        names = " and ".join(_other(name, group[0]) for name in group)
        yield (
            f"the patients {names} may be one; they are taken as {len(group)}, and a split may put "
            "them into different subsets"
        )


def _other(name: str, first: str) -> str:
    return quoted(name, first if name != first else "")


def slides_text(count: int) -> str:
    """Return ``"1 slide has"`` or ``"2 slides have"``."""
    return "1 slide has" if count == 1 else f"{count:,} slides have"


def _unknown(names: Sequence[str]) -> Iterator[tuple[str, int]]:
    for word in sorted(set(names)):
        if word.casefold() in UNKNOWN_WORDS:
            yield word, names.count(word)
