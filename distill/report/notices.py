"""What a reader must know before relying on the numbers, and the answer in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.evaluation import FEW_OF_A_CLASS, FEW_PATIENTS
from distill.report.formatting import saving
from distill.report.methods import STUDENT
from distill.report.scores import Measured
from distill.report.verdict import BEYOND, OPEN, WITHIN, Question, Verdict, class_patients


@dataclass(frozen=True)
class Notices:
    """What is said of the verdicts before any number.

    Attributes:
        lead: the answer in a sentence or two.
        warnings: what a reader must know before relying on it, most important first.
    """

    lead: str
    warnings: tuple[str, ...]


def notices_of(measured: Measured, verdicts: Sequence[Verdict], question: Question) -> Notices:
    """Return what is said of the verdicts."""
    return Notices(lead(verdicts, question), tuple(notices(measured, verdicts)))


def lead(verdicts: Sequence[Verdict], question: Question) -> str:
    """Return the answer in a sentence or two."""
    if not verdicts:
        return "There is no student with its teacher among these runs, so there is no verdict."
    name = question.about.words
    loss = f"a loss of more than {question.points} of {name}"
    if len(verdicts) == 1:
        one = verdicts[0]
        answer = {
            WITHIN: f"Within the margin: {loss} is excluded on patients such as these.",
            BEYOND: f"Beyond the margin: the student loses more than {question.points} of {name}.",
            OPEN: f"Not settled: {'; '.join(one.caveats)}."
            if one.caveats
            else f"Not settled: on these patients {loss} cannot be excluded.",
        }
        return answer[one.state]
    counts = {state: sum(one.state == state for one in verdicts) for state in _STATES}
    parts = [f"{counts[state]} {what}" for state, what in _STATES.items() if counts[state]]
    said = f"Of {len(verdicts)} students, judged by a loss of {question.points} of {name}: "
    said += ", ".join(parts) + "."
    within = [one for one in verdicts if one.state == WITHIN]
    if within:
        cheapest = max(within, key=lambda one: one.times)
        said += (
            f" The cheapest within the margin is {cheapest.difference.row.name}, "
            f"{saving(cheapest.times)}."
        )
    return said


_STATES = {
    WITHIN: "within the margin",
    OPEN: "not settled",
    BEYOND: "beyond the margin",
}


def notices(measured: Measured, verdicts: Sequence[Verdict]) -> list[str]:
    """Return the warnings, most important first."""
    return [
        *_folds(measured),
        *_patients(measured),
        *_orphans(measured),
        *_classes(measured),
        *_crops(measured),
        *_seeds(measured, verdicts),
    ]


def _folds(measured: Measured) -> list[str]:
    if not measured.collected.folds:
        return []
    return [
        "Each patient was tested by networks that were trained on others, one network a fold. The "
        "scores are of a recipe on patients such as these: no single network has them, and the "
        "intervals tell of other test patients, not of training on others."
    ]


def _patients(measured: Measured) -> list[str]:
    first = measured.collected.runs[0].metrics
    patients, crops = first["scored"]["patients"], first["scored"]["crops"]
    found = []
    if patients < FEW_PATIENTS:
        found.append(
            f"Only {patients} labelled patients. With fewer than {FEW_PATIENTS} an interval is too "
            "narrow, whatever is resampled, so no verdict is given; test on more patients."
        )
    if measured.collected.how.unit == "crop" and crops > patients:
        found.append(
            "Intervals resample crops. Crops of one patient resemble each other, so they are too "
            "narrow, and no verdict is given; evaluate with --unit patient."
        )
    for one in measured.collected.trained:
        known = one.metrics["training_patients"]
        if known is None:
            found.append(f"Nobody can tell which patients {one.name} was trained on.")
        elif known:
            found.append(f"{one.name} was trained on {known} of these patients.")
        chose, fitted = one.metrics["epoch_patients"], one.metrics["temperature_patients"]
        if chose is None and known is not None:
            found.append(f"Nobody can tell whether these patients chose the epoch of {one.name}.")
        elif chose:
            found.append(
                f"The epoch of {one.name} (or of a run that it was made from) was chosen on "
                f"{chose} of these patients, so its scores are too good."
            )
        if fitted:
            found.append(f"A temperature of {one.name} was fitted on {fitted} of these patients.")
    return found


def _orphans(measured: Measured) -> list[str]:
    found = []
    for row in measured.orphans:
        config = row.runs[0].run.config
        origin = config.get("teacher") or {}
        place = Path(str(origin["run"])).name if origin.get("run") else "the teacher"
        found.append(
            f"{row.name}: the teacher it was distilled from is not among these runs, or was "
            f"trained again since, so there is no verdict; add its run ({place})."
        )
    return found


def _classes(measured: Measured) -> list[str]:
    first = measured.collected.runs[0]
    told = first.run.class_map
    patients = class_patients(first.answers)
    absent = first.metrics["absent_classes"]
    few = {name: n for name, n in patients.items() if 0 < n < FEW_OF_A_CLASS}
    found = []
    if told:
        found.append(
            f"Not all labels of the store are classes here: {told.text}. Scores say nothing of "
            "crops that are left out."
        )
    if absent:
        found.append(f"No case of {', '.join(absent)}: left out of every mean over classes.")
    if few:
        said = ", ".join(f"{name} ({n})" for name, n in few.items())
        found.append(
            f"Few patients of a class: {said}. A mean over classes hangs on them as much as on "
            f"any, so with fewer than {FEW_OF_A_CLASS} no verdict is given."
        )
    f1 = first.metrics["macro"]["f1"]
    if "draws" in f1:
        found.append(
            f"Only {f1['draws']:,} of {measured.collected.how.draws:,} draws define every score."
        )
    return found


def _crops(measured: Measured) -> list[str]:
    found = []
    for one in measured.collected.trained:
        if skipped := one.metrics["skipped"]:
            found.append(
                f"{one.name} could not take {len(skipped)} crops (its metrics.json says why); "
                "differences are over the crops that both runs could take."
            )
    if calibration := measured.collected.runs[0].metrics["calibration"]:
        found.append(
            f"Probabilities are at temperatures fitted on {calibration['subset']}; that changes "
            "AUROC, calibration error, slides and patients, and no class predicted for a crop."
        )
    return found


def _seeds(measured: Measured, verdicts: Sequence[Verdict]) -> list[str]:
    students = measured.of(STUDENT)
    single = [row for row in students if len(row.runs) == 1]
    found = []
    if single:
        once = "once a fold" if measured.collected.folds else "once"
        each = f"The student was trained {once}, with one seed."
        if len(students) > 1:
            who = "Each" if len(single) == len(students) else f"{len(single)}"
            each = f"{who} of the {len(students)} students was trained {once}, with one seed."
        found.append(f"{each} Intervals tell of other patients, not of training again.")
    if len(verdicts) > 1:
        found.append(
            f"There are {len(verdicts)} students, each with an interval of its own: whoever takes "
            "the best of them afterwards takes luck with it. Choose on val, then judge on test."
        )
    return found
