from .cohort import LABELS, plan_cohort, write_cohort
from .render import write_slide
from .scene.scene import HARD_CASES
from .scene.traits import CLASSES

__all__ = [
    "CLASSES",
    "HARD_CASES",
    "LABELS",
    "plan_cohort",
    "write_cohort",
    "write_slide",
]
