"""Who is in a cohort: patients, slides, labels, scanners and hard cases."""

from collections.abc import Sequence
from dataclasses import dataclass

from wsistore.sample.noise import stream
from wsistore.sample.scene import HARD_CASES, Domain
from wsistore.sample.traits import CLASSES

SCANNERS = (0.4952, 0.5031, 0.4990)
"""µm per pixel of three 20× scanners; other resolutions scale them."""
_SECOND_SLIDE = 0.27


@dataclass(frozen=True, slots=True)
class Plan:
    """One slide to write.

    Attributes:
        slide, patient: names; `slide` is the file name without its extension.
        label: its class, or "" where labels.csv is to say nothing.
        drawn: the class it is drawn as.
        key: (seed, patient, slide) of its random streams.
        mpp: µm per pixel.
        hard: None or one of `HARD_CASES`.
    """

    slide: str
    patient: str
    label: str
    drawn: str
    key: tuple[int, int, int]
    mpp: float
    hard: str | None = None


def plan_cohort(
    patients: int, *, seed: int = 0, mpp: float = 0.5, unlabelled: int = 0, hard: Sequence[str] = ()
) -> list[Plan]:
    """Decide patients, slides, labels and scanners; a pure function of its arguments.

    Classes are dealt in turn to shuffled places, so that they are balanced over the labelled
    patients. About one patient in four has two slides. Unlabelled patients are drawn from the same
    classes. Every hard case is one more slide of a patient of its own.
    """
    plans = []
    rng = stream(seed, Domain.COHORT)
    for place in range(patients + unlabelled):
        if place % len(CLASSES) == 0:
            deal = rng.permutation(len(CLASSES)).tolist()
        drawn = CLASSES[deal[place % len(CLASSES)]]
        known = place < patients
        name = f"P{place + 1:03d}" if known else f"U{place - patients + 1:03d}"
        for number in range(2 if rng.random() < _SECOND_SLIDE else 1):
            scale = SCANNERS[int(rng.integers(len(SCANNERS)))]
            plans.append(
                Plan(
                    slide=f"{name}-{number + 1}",
                    patient=name,
                    label=drawn if known else "",
                    drawn=drawn,
                    key=(seed, place, number),
                    mpp=round(scale * mpp / 0.5, 4),
                )
            )
    for case in hard:
        # keyed by the case, so that it is the same slide whatever else the cohort holds
        place = 1_000_000 + HARD_CASES.index(case)
        drawn = CLASSES[HARD_CASES.index(case) % len(CLASSES)]
        patient = f"H{HARD_CASES.index(case) + 1:03d}"
        plans.append(Plan(f"{patient}-{case}", patient, drawn, drawn, (seed, place, 0), mpp, case))
    return plans
