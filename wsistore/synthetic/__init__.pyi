from .cohort import LABELS, Hospital, plan_cohort, write_cohort
from .kinds import CLASSES, HARD_CASES, STAINS
from .render import write_slide

__all__ = [
    "CLASSES",
    "HARD_CASES",
    "LABELS",
    "STAINS",
    "Hospital",
    "plan_cohort",
    "write_cohort",
    "write_slide",
]
