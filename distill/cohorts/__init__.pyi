from .evaluating import CohortPlan, CohortRules, cohort_notes, evaluate_cohort, plan_cohorts
from .gathering import gather_cohorts
from .home import from_home, is_kept
from .named import HOME, NamedCohort, named_cohorts
from .section import cohorts_section

__all__ = [
    "HOME",
    "CohortPlan",
    "CohortRules",
    "NamedCohort",
    "cohort_notes",
    "cohorts_section",
    "evaluate_cohort",
    "from_home",
    "gather_cohorts",
    "is_kept",
    "named_cohorts",
    "plan_cohorts",
]
