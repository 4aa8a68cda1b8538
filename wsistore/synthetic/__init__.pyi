from .cohort import LABELS, plan_cohort, write_cohort
from .kinds import CLASSES, HARD_CASES
from .render import write_slide

__all__ = [
    "CLASSES",
    "HARD_CASES",
    "LABELS",
    "plan_cohort",
    "write_cohort",
    "write_slide",
]
