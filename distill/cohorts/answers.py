"""Every answer behind the columns of a report, so that each number can be computed anew. Pure."""

from __future__ import annotations

import pandas as pd

from distill.cohorts.gathering import CohortColumn
from distill.cohorts.tables import slide_numbers
from distill.evaluation import guarded_csv
from distill.report import Attached


def answers_of(one: CohortColumn) -> Attached:
    """Return the answers of all runs on a cohort; slides, patients and crops are numbers.

    Columns method, run, crop, slide, patient, label ("" where there is none), area_mm2, mpp (µm per
    pixel at the run's level), predicted, and p_CLASS for each class.
    """
    slides = slide_numbers(one)
    crops = _numbers(one.store.crops["crop"])
    patients = _numbers(one.store.crops["patient"])
    parts = []
    for row in one.measured.rows:
        for run in row.runs:
            answers, table = run.answers, run.answers.table
            levels = one.store.levels
            mpp = levels[levels["level"] == row.level].set_index("crop")["mpp"]
            parts.append(
                pd.DataFrame(
                    {
                        "method": row.name,
                        "run": run.name,
                        "crop": table["crop"].map(crops),
                        "slide": table["slide"].map(slides),
                        "patient": table["patient"].map(patients),
                        "label": table["label"],
                        "area_mm2": table["area_mm2"],
                        "mpp": table["crop"].map(mpp),
                        "predicted": [answers.classes[k] for k in answers.predicted],
                        **{
                            f"p_{name}": answers.probabilities[:, k]
                            for k, name in enumerate(answers.classes)
                        },
                    }
                )
            )
    whole = pd.concat(parts, ignore_index=True)
    return Attached(f"cohort-answers-{one.name}", f"Answers on {one.name}", guarded_csv(whole))


def _numbers(names: pd.Series[str]) -> dict[str, int]:
    """Return name → its number, from 1, in order of first appearance."""
    return {str(name): number for number, name in enumerate(names.drop_duplicates(), start=1)}
