"""Deferrals that were computed before, as a section of the report on the same runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from distill.deferral.figure import DrawnCurve, Mark, defer_picture
from distill.deferral.folder import CURVE, FORMAT, REPORT
from distill.errors import RunError, UsageError
from distill.evaluation import Score, read_guarded_csv
from distill.files import read_json
from distill.output_folder import has_format
from distill.report import (
    Cell,
    Collected,
    Column,
    Measured,
    Section,
    Table,
    columns,
    ends,
    percent,
    quantity,
    score,
    scored,
)

_ALIKE = ("store_sha256", "split_sha256", "subset", "bootstrap")
ROWS = "student alone", "both, threshold chosen", "teacher alone"


@dataclass(frozen=True)
class Deferral:
    """A deferral, read back.

    Attributes:
        path: its folder.
        about: what defer.json holds.
        curve: what curve.csv holds, each cell as a text.
    """

    path: Path
    about: Mapping[str, Any]
    curve: pd.DataFrame


def read_deferral(path: Path, collected: Collected) -> Deferral:
    """Read a folder of `distill defer` on runs that are to be reported.

    Raises:
        UsageError: it is no such folder, or of runs that are not reported.
        RunError: it is of other weights, or another store, split or bootstrap, or damaged.
    """
    if not has_format(REPORT, FORMAT)(path):
        raise UsageError(f"{path} holds no deferral; make one with 'distill defer'")
    about = read_json(path / REPORT)
    again = "run 'distill defer' again, with --overwrite"
    first = collected.runs[0].metrics
    try:
        known = {one.sha256 for one in collected.runs}
        for who in ("student", "teacher"):
            if about[who]["weights_sha256"] not in known:
                raise UsageError(
                    f"--deferral {path} is of {about[who]['run']}, whose weights are of no run "
                    f"that is reported; name it too, or {again}"
                )
        if odd := [key for key in _ALIKE if about[key] != first[key]]:
            raise RunError(
                f"{path} is of another {odd[0]} than the evaluations of these runs; {again}"
            )
        curve = read_guarded_csv(path / CURVE)
        if len(curve) != about["points"] or len(curve) < 2:
            raise ValueError(f"{len(curve)} rows, not {about['points']}")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); {again}") from error
    return Deferral(path, about, curve)


def deferral_section(measured: Measured, deferrals: Sequence[Deferral], wanted: Score) -> Section:
    """Return the curves and what the chosen thresholds give.

    Args:
        measured: the numbers of the report.
        deferrals: of its runs.
        wanted: the score of the pictures and of the table.

    Raises:
        RunError: a folder is damaged.
    """
    names = {one.sha256: f"{row.name}{_seed(row.several, one.run.config)}"
             for row in measured.rows for one in row.runs}  # fmt: skip
    pictures, rows = [], []
    for number, one in enumerate(deferrals, start=1):
        who = tuple(names[one.about[kind]["weights_sha256"]] for kind in ("student", "teacher"))
        try:
            shown = _shown(one, wanted, f"{who[0]}, then {who[1]}")
            pictures.append(defer_picture(shown, f"deferral-{number:02}"))
            rows += _rows(one, shown, wanted, who)
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{one.path} is damaged ({error!r}); run 'distill defer' again, with --overwrite"
            ) from error
    return Section(
        "deferral",
        "Deferral",
        "The student decides a crop where its confidence, the probability of the class that it "
        "predicts, is at least a threshold; the teacher reads the others again. The lines show "
        "every share of crops deferred, from none to all.",
        figures=tuple(pictures),
        tables=(_table(rows, wanted),),
    )


def _seed(several: str, config: Mapping[str, Any]) -> str:
    return f", seed {config['seed']}" if several else ""


def _shown(one: Deferral, wanted: Score, who: str) -> DrawnCurve:
    name, about = f"{wanted.group}_{wanted.name}", one.about
    marks = [
        Mark(
            float(row["share_deferred"]),
            float(row["gmac_per_crop"]),
            _known(row[name]),
            None if _known(row[f"{name}_low"]) is None
            else (float(row[f"{name}_low"]), float(row[f"{name}_high"])),
        )
        for row in one.curve.to_dict("records")
    ]  # fmt: skip
    chosen = None
    if (held := about["chosen"]) is not None:
        entry = wanted.entry(held["scores"])
        share, gmac = float(held["share_deferred"]), float(held["gmac_per_crop"])
        chosen = Mark(share, gmac, entry["value"], ends(entry))
    place = f"{about['subset']} of split {about['split']}"
    alone = float(about["gmac_per_crop"]["teacher"])
    return DrawnCurve(wanted.words, place, tuple(marks), alone, chosen, who)


def _known(cell: str) -> float | None:
    value = float(cell) if cell else math.nan
    return None if math.isnan(value) else value


def _rows(
    one: Deferral, shown: DrawnCurve, wanted: Score, who: tuple[str, ...]
) -> list[tuple[Cell, ...]]:
    """Return the student alone, both with the chosen threshold, and the teacher alone."""
    held, crops = one.about["chosen"], one.about["crops"] / one.about["patients"]
    marks = {ROWS[0]: shown.marks[0], ROWS[1]: shown.chosen, ROWS[2]: shown.marks[-1]}
    found: list[tuple[Cell, ...]] = []
    for name, mark in marks.items():
        if mark is None:
            continue
        gmac = shown.alone if name == ROWS[2] else mark.gmac
        entry = {"value": mark.value, "interval": mark.ends}
        minus = Cell("", (None, None, None))
        threshold: float | None = None
        said = chosen_on = ""
        if name == ROWS[1]:
            minus = score(wanted.entry(held["minus_teacher"]), sign=True)
            threshold, chosen_on = held["threshold"], held["on"]["subset"]
            said = "above every confidence" if threshold is None else f"{threshold:.4g}"
        found.append((
            Cell(shown.who, who),
            Cell(name, (name,)),
            Cell(said, (threshold, chosen_on),
                 f"chosen on {chosen_on}" if chosen_on else ""),
            Cell(percent(mark.share, 1), (mark.share,)),
            Cell(quantity(gmac), (gmac,)),
            Cell(quantity(gmac * crops), (gmac * crops,)),
            score(entry),
            minus,
        ))  # fmt: skip
    return found


def _table(rows: Sequence[tuple[Cell, ...]], wanted: Score) -> Table:
    made = columns(
        Column("runs", ("student", "teacher"), number=False, group=True),
        Column("who reads", ("who_reads",), number=False),
        Column("threshold", ("threshold", "chosen_on")),
        Column("deferred, %", ("share_deferred",)),
        "GMAC per crop", "GMAC per patient",
        *scored([wanted.words]),
        *scored([f"{wanted.words} minus teacher"]),
    )  # fmt: skip
    caption = (
        f"{wanted.words} over crops in %, and its difference to the teacher alone in percentage "
        "points, paired. Beside each its interval, of other patients with this threshold. GMAC: "
        "mean, of both networks; of the teacher alone, without a student before it."
    )
    return Table("deferral", "What a threshold gives", caption, made, tuple(rows))
