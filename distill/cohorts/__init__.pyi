from .evaluating import CohortPlan, CohortRules, cohort_notes, evaluate_cohort, plan_cohorts
from .home import from_home, is_kept
from .named import HOME, NamedCohort, named_cohorts

__all__ = [
    "HOME",
    "CohortPlan",
    "CohortRules",
    "NamedCohort",
    "cohort_notes",
    "evaluate_cohort",
    "from_home",
    "is_kept",
    "named_cohorts",
    "plan_cohorts",
]
