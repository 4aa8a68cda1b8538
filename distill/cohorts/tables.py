"""The tables of cohorts: what they are, scores, and differences; a column for each cohort."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from distill.cohorts.facts import scales
from distill.cohorts.gathering import CohortColumn
from distill.evaluation import KEEP, OF_COHORT, REFUSE, Score, ScoreTable, score_columns
from distill.report import Cell, Column, MethodRow, Table, count, percent, quantity, score, text

NONE = "–"
_MEANING = (
    "Means over classes: accuracy (one-vs-rest), F1 and AUROC. ECE: expected calibration error, of "
    "which less is better."
)


def headline_scores() -> dict[str, Score]:
    """Return the scores that stand in a report's columns, by title."""
    return score_columns(ScoreTable.DIFFERENCES)


def cohort_table(columns: Sequence[CohortColumn]) -> Table:
    """Return what the cohorts are, and by which rules their classes were reduced."""
    lines: list[tuple[str, Callable[[CohortColumn], Cell]]] = [
        ("store", lambda one: text(one.runs[0].metrics["store"])),
        ("split", lambda one: text(f"{one.split}, {one.subset}")),
    ]
    lines += [(kind, partial(_scored, kind=kind)) for kind in ("patients", "slides", "crops")]
    lines += [
        (f"patients of {name}", partial(_patients, name=name))
        for name in columns[0].runs[0].answers.classes
    ]
    lines += [
        ("crops left out", lambda one: count(len(_skipped(one)))),
        ("classes of the split", lambda one: text(_of_split(one))),
        ("unknown classes", lambda one: text(_unknown(one))),
        ("absent classes", lambda one: text(_absent(one))),
        ("same patient ids", lambda one: text(_ids(one))),
        ("patients trained on", _seen),
        ("temperature", lambda one: text(_temperature_from(one))),
    ]
    made = (
        Column("", ("what",), number=False),
        *(Column(one.name, (one.name,), number=False) for one in columns),
    )
    body = [(text(title), *(cell(one) for one in columns)) for title, cell in lines]
    caption = (
        "Patients, slides and crops with a label. Unknown classes: labels that the networks do not "
        "know; such a cohort is refused, or such crops are left out. Absent classes: classes of "
        "the networks that no label there is. They are left out of means over classes; keep: an "
        "answer of one is wrong; renormalize: there is none, and probabilities are shared out "
        "among the others."
    )
    return Table("cohorts", "The cohorts", caption, made, tuple(body))


def score_table(columns: Sequence[CohortColumn]) -> Table:
    """Return each method's scores on each cohort."""
    body: list[tuple[Cell, ...]] = []
    wanted = headline_scores()
    for row in columns[0].measured.rows:
        method = _method(row)
        for title, asked in wanted.items():
            blocks = [one.measured.blocks[row.name]["crops"] for one in columns]
            body.append((method, text(title), *(score(asked.entry(block)) for block in blocks)))
    caption = f"Over crops, in %. {_resampled(columns)} {_MEANING}"
    made = (
        Column("method", ("method", "runs"), number=False, group=True),
        Column("", ("score",), number=False),
        *_columns(columns),
    )
    return Table("cohort-scores", "Each method on each cohort", caption, made, tuple(body))


def distance_table(columns: Sequence[CohortColumn]) -> Table:
    """Return how far each cohort is from what a method was trained on, and its temperature."""
    body = [
        (_method(row), text(title), *(cell(one, _row(one, row.name)) for one in columns))
        for row in columns[0].measured.rows
        for title, cell in _DISTANCES.items()
    ]
    caption = (
        "µm per pixel: the median over crops, and how far that is from the training's. Colour "
        "distance: of a slide from the training slides, in standard deviations; the median, and "
        "the share of slides that lie further out than training slides do. Temperature: what "
        "logits are divided by."
    )
    made = (
        Column("method", ("method", "runs"), number=False, group=True),
        Column("", ("what",), number=False),
        *_columns(columns),
    )
    title = "How far each cohort is from the training"
    return Table("cohort-distances", title, caption, made, tuple(body))


def difference_table(columns: Sequence[CohortColumn]) -> Table | None:
    """Return the paired differences within each cohort; None where nothing can be compared."""
    body: list[tuple[Cell, ...]] = []
    for minus in ("to_teacher", "to_baseline"):
        for first in getattr(columns[0].measured, minus):
            blocks = [
                next(
                    other.blocks["crops"]
                    for other in getattr(one.measured, minus)
                    if (other.row.name, other.minus) == (first.row.name, first.minus)
                )
                for one in columns
            ]
            pair = Cell(f"{first.row.name} minus {first.minus}", (first.row.name, first.minus))
            for title, asked in headline_scores().items():
                cells = (score(asked.entry(block), sign=True) for block in blocks)
                body.append((pair, text(title), *cells))
    if not body:
        return None
    caption = (
        "Percentage points, over crops; both see the same draws of the patients of that cohort. An "
        "interval that leaves out 0 shows a difference on patients such as those. "
        f"{_resampled(columns)} {_MEANING}"
    )
    made = (
        Column("method", ("method", "minus"), number=False, group=True),
        Column("", ("score",), number=False),
        *_columns(columns),
    )
    return Table("cohort-differences", "Differences within each cohort", caption, made, tuple(body))


def color_table(columns: Sequence[CohortColumn]) -> Table:
    """Return the distance of each slide's colours, by the numbers that the answers have."""
    titles = ("cohort", "method", "run", "slide", "distance", "threshold", "beyond")
    body = [
        (text(one.name), text(row.name), text(run.name), count(place), Cell("", (distance,)),
         Cell("", (found.threshold,)), count(int(beyond)))
        for one in columns
        for row in one.measured.rows
        for run, found in zip(_row(one, row.name).runs, one.colors[row.name], strict=True)
        for place, distance, beyond in zip(
            _numbers(one, found.slides["slide"]), found.slides["distance"].tolist(),
            found.slides["beyond"].tolist(), strict=True,
        )
    ]  # fmt: skip
    made = tuple(Column(title, (title,)) for title in titles)
    return Table("cohort-colors", "Colours of slides", "", made, tuple(body))


def slide_numbers(one: CohortColumn) -> dict[str, int]:
    """Return slide → its number, from 1, in the order of the store; names stay out of a report."""
    slides = one.store.crops["slide"].astype(str).drop_duplicates()
    return {slide: number for number, slide in enumerate(slides, start=1)}


def _numbers(one: CohortColumn, slides: Iterable[str]) -> list[int]:
    known = slide_numbers(one)
    return [known[str(slide)] for slide in slides]


def _method(row: MethodRow) -> Cell:
    return Cell(row.name, (row.name, " + ".join(one.name for one in row.runs)))


def _columns(columns: Sequence[CohortColumn]) -> tuple[Column, ...]:
    ends = ("", "_low", "_high")
    return tuple(Column(one.name, tuple(f"{one.name}{end}" for end in ends)) for one in columns)


def _row(one: CohortColumn, name: str) -> MethodRow:
    return next(row for row in one.measured.rows if row.name == name)


def _scored(one: CohortColumn, kind: str) -> Cell:
    return count(one.runs[0].metrics["scored"][kind])


def _patients(one: CohortColumn, name: str) -> Cell:
    rows = one.runs[0].answers.table
    return count(int(rows["patient"][rows["label"] == name].nunique()))


def _skipped(one: CohortColumn) -> set[str]:
    return {crop for run in one.runs for crop in run.metrics["skipped"]}


def _of_split(one: CohortColumn) -> str:
    return one.store.class_map(one.split).text or "as labelled"


def _unknown(one: CohortColumn) -> str:
    at_home: dict[str, Any] = {"rule": REFUSE, "classes": {}}
    about = one.rules["unknown_classes"] if one.rules else at_home
    found = ", ".join(f"{name}: {n:,} crops" for name, n in about["classes"].items())
    return f"{found or 'none'} (rule: {about['rule']})"


def _absent(one: CohortColumn) -> str:
    at_home: dict[str, Any] = {"rule": KEEP, "classes": one.runs[0].metrics["absent_classes"]}
    about = one.rules["absent_classes"] if one.rules else at_home
    return f"{', '.join(about['classes']) or 'none'} (rule: {about['rule']})"


def _ids(one: CohortColumn) -> str:
    if one.rules is None or one.rules["patient_ids"] == "shared":
        return "the same person"
    return "other people"


def _seen(one: CohortColumn) -> Cell:
    known = [run.metrics["training_patients"] for run in one.runs]
    return text("nobody can tell") if None in known else count(max(known))


def _temperature_from(one: CohortColumn) -> str:
    fitted = one.runs[0].metrics["calibration"]
    if fitted is None:
        return "none"
    own = one.rules is None or fitted.get("of") == OF_COHORT
    return f"fitted here, on {fitted['subset']}" if own else f"of home, on its {fitted['subset']}"


def _resampled(columns: Sequence[CohortColumn]) -> str:
    how = columns[0].measured.collected.how
    what = "patients" if how.unit == "patient" else "crops, as if they were independent"
    return (
        f"Beside each its 95 % interval: percentile bootstrap over {what} of that cohort, "
        f"{how.draws:,} draws, seed {how.seed}."
    )


def _mpp(one: CohortColumn, row: MethodRow) -> Cell:
    found = [scales(run.run, one.store, run.answers.table["crop"].tolist()) for run in row.runs]
    median = fmean(each["median"] for each in found)
    off = fmean(each["median"] / each["run"] - 1 for each in found)
    return Cell(f"{median:.4g}", (median, off, None), f"{percent(off, 1, sign=True)} %")


def _distance(one: CohortColumn, row: MethodRow) -> Cell:
    medians = [each.median for each in one.colors[row.name]]
    known = [median for median in medians if median is not None]
    if len(known) < len(medians):
        return Cell(NONE, (None, None, None), "not known")
    return Cell(quantity(fmean(known)), (fmean(known), None, None))


def _beyond(one: CohortColumn, row: MethodRow) -> Cell:
    found = one.colors[row.name]
    shares = [each.beyond for each in found]
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        return Cell(NONE, (None, None, None), "not known")
    share, slides = fmean(known), len(found[0].slides)
    return Cell(f"{100 * share:.0f} %", (share, None, None), f"of {slides:,} slides")


def _temperature(one: CohortColumn, row: MethodRow) -> Cell:
    fitted = [run.metrics["calibration"] for run in row.runs]
    found = [each["temperature"] for each in fitted if each is not None]
    if not found:
        return Cell("none", (None, None, None))
    low, high = min(found), max(found)
    shown = f"{low:.3g}" if low == high else f"{low:.3g}–{high:.3g}"
    return Cell(shown, (fmean(found), low, high))


_DISTANCES: dict[str, Callable[[CohortColumn, MethodRow], Cell]] = {
    "temperature": _temperature,
    "µm per pixel": _mpp,
    "colour distance": _distance,
    "slides beyond": _beyond,
}
