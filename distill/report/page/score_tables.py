"""The tables of scores: the paper's 5 to 8, seeds, slides and patients, classes, costs."""

from __future__ import annotations

from distill.evaluation import Aggregate, ScoreTable, notes, score_columns
from distill.report.formatting import NONE, percent, quantity
from distill.report.methods import TEACHER, MethodRow
from distill.report.page.cells import (
    AVERAGE,
    CASES,
    CLASS,
    LEVEL,
    METHOD,
    cases,
    head,
    over_seeds,
    resampled,
    score,
    scored,
    shown,
)
from distill.report.page.table import Cell, Column, Table, columns, count, field, marked, text
from distill.report.scores import Measured


def teacher_table(measured: Measured) -> Table:
    """Return the paper's Table 5: a row for each score, a column for each teacher."""
    rows = measured.of(TEACHER)
    made = [Column("score", ("score",), number=False)]
    for row in rows:
        fields = scored([row.name], seeds=True)[0].fields
        made.append(Column(row.name, fields))
    body = [
        (text(name), *(over_seeds(measured, row, one) for row in rows))
        for name, one in shown(measured, ScoreTable.MACRO).items()
    ]
    caption = f"{AVERAGE}. {resampled(measured)}{_about_seeds(rows)}"
    return Table("teacher", "The teacher (Table 5 of the paper)", caption, tuple(made), tuple(body))


def score_table(measured: Measured) -> Table:
    """Return the paper's Tables 6 to 8: a row for each method, in groups by level."""
    wanted = shown(measured, ScoreTable.MACRO)
    rows = [row for row in measured.rows if row.kind != TEACHER]
    body: list[tuple[Cell, ...]] = []
    for level in dict.fromkeys(row.level for row in rows):
        cells = [
            (*head(row), *(over_seeds(measured, row, one) for one in wanted.values()))
            for row in rows
            if row.level == level
        ]
        fewer = [2 + k for k, one in enumerate(wanted.values()) if one.lower_is_better]
        body += marked(cells, range(2, 2 + len(wanted)), lowest=fewer)
    caption = (
        f"{AVERAGE}; the best value of each level in bold, which is not to say that it is better "
        f"than the next. {resampled(measured)}{_about_seeds(rows)}"
    )
    title = "Baselines and students (Tables 6 to 8 of the paper)"
    made = (LEVEL, METHOD, *scored(wanted, seeds=True))
    return Table("scores", title, caption, made, tuple(body))


def seed_table(measured: Measured) -> Table | None:
    """Return every run of the rows that have several seeds; None where no row has."""
    wanted = shown(measured, ScoreTable.MACRO)
    what = measured.collected.runs[0].differs_in
    body = [
        (*head(row), text(one.name), count(one.run.config["seed"]),
         *(score(asked.entry(one.metrics)) for asked in wanted.values()))
        for row in measured.rows if len(row.runs) > 1 for one in row.runs
    ]  # fmt: skip
    if not body:
        return None
    made = columns(LEVEL, METHOD, Column("run", ("run",), number=False), what, *scored(wanted))
    caption = f"{AVERAGE}. {resampled(measured)}"
    return Table("seeds", f"Every {what}", caption, made, tuple(body))


def overall_table(measured: Measured) -> Table:
    """Return how often crops, slides and patients are classified right."""
    wanted = shown(measured, ScoreTable.OVERALL)
    body = [
        (*head(row), cases(kind, block["scored"][kind]),
         *(score(one.entry(block)) for one in wanted.values()))
        for row in measured.rows for kind, block in measured.blocks[row.name].items()
    ]  # fmt: skip
    caption = (
        f"In %. {notes(wanted)}. The probability of a slide or patient is "
        f"{Aggregate.parse(measured.collected.aggregate).words}. Those without one label are left "
        f"out. {resampled(measured)}"
    )
    made = (LEVEL, METHOD, CASES, *scored(wanted))
    return Table("overall", "Crops, slides and patients", caption, made, tuple(body))


def class_table(measured: Measured) -> Table:
    """Return the scores of each class, over crops."""
    wanted = {
        title: one
        for title, one in score_columns(ScoreTable.MACRO).items()
        if one.group == "macro"  # of these each class has one
    }
    body = [
        (*head(row), text(label),
         *(score(one.of_class(block, label)) for one in wanted.values()))
        for row in measured.rows
        for block in [measured.blocks[row.name]["crops"]]
        for label in row.runs[0].answers.classes
    ]  # fmt: skip
    made = (LEVEL, METHOD, CLASS, *scored(wanted))
    caption = f"One class against the rest, over crops, in %. {resampled(measured)}"
    return Table("classes", "Each class", caption, made, tuple(body))


def confusion_table(measured: Measured) -> Table:
    """Return all confusion matrices as one list."""
    words = ("truth", "predicted")
    made = columns(
        LEVEL, METHOD, *(Column(w, (w,), number=False) for w in words), "crops", "share of truth"
    )
    body = [
        (*head(row), text(truth), text(predicted), count(counts[i][j]), _share(counts[i], j))
        for row in measured.rows for classes, counts in [confusion(row)]
        for i, truth in enumerate(classes) for j, predicted in enumerate(classes)
    ]  # fmt: skip
    caption = "Numbers of crops; of a row of several seeds their sum."
    return Table("confusion", "Confusion matrices", caption, made, tuple(body))


def confusion(row: MethodRow) -> tuple[tuple[str, ...], list[list[int]]]:
    """Return the classes and the crops by truth (rows) and prediction, summed over seeds."""
    classes = row.runs[0].answers.classes
    total = [[0] * len(classes) for _ in classes]
    for one in row.runs:
        place = [one.answers.classes.index(name) for name in classes]
        for i, truth in enumerate(place):
            for j, predicted in enumerate(place):
                total[i][j] += int(one.metrics["confusion"][truth][predicted])
    return classes, total


def _share(counts: list[int], place: int) -> Cell:
    total = sum(counts)
    share = counts[place] / total if total else None
    return Cell(NONE if share is None else percent(share, 0), (share,))


def cost_table(measured: Measured) -> Table:
    """Return what a network costs: multiply-adds of a crop, parameters."""
    most = max(row.gmac for row in measured.rows)
    body = []
    for row in measured.rows:
        cost = row.runs[0].metrics["cost"]
        per_crop = cost["gmac_per_crop"]
        body.append(
            (
                *head(row),
                *(_quantity(per_crop[n]) for n in ("mean", "median", "max")),
                Cell(quantity(row.gflop), (row.gflop,)),
                Cell(f"{100 * row.gmac / most:.3g} %", (row.gmac / most,)),
                count(cost["parameters"]),
                text(row.runs[0].run.weights.network),
            )
        )
    titles = ("GMAC mean", "GMAC median", "GMAC max", "GFLOP mean")
    share = Column("of the dearest", (field("share of the dearest"),))
    network = Column("network", ("network",), number=False)
    made = columns(LEVEL, METHOD, *titles, share, "parameters", network)
    caption = (
        "For one crop of the subset, whole. GMAC: 10⁹ multiply-adds as fvcore counts them; GFLOP: "
        "10⁹ floating-point operations as torch counts them, two a multiply-add."
    )
    return Table("cost", "Cost of one crop", caption, made, tuple(body))


def _quantity(value: float | None) -> Cell:
    """Return a cost; the passes of a cross-validation know no median."""
    return Cell(NONE if value is None else quantity(value), (value,))


def _about_seeds(rows: list[MethodRow]) -> str:
    several = [row for row in rows if row.several]
    if not several:
        return ""
    one, many = several[0].runs[0].differs_in, several[0].several.split()[1]
    return (
        f" Of several {many}: their mean, the interval of that mean over other patients, and the "
        f"lowest and highest {one}."
    )
