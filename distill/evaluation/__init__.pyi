from . import caveats, comparison, leakage, operating_points, scoring
from .answering import Answering, about_answers, mean_logits
from .calibrated_crops import calibration_rows
from .caveats import FEW_OF_A_CLASS, FEW_PATIENTS, find_caveats
from .choices import AGGREGATES, Aggregate
from .cohort import COLORS_CSV, OF_COHORT, OF_HOME, Cohort, Outside, rules
from .cohort_choices import ABSENT_CLASSES, COHORTS, KEEP, PATIENT_IDS, REFUSE, UNKNOWN_CLASSES
from .evaluator import OWN_STAINS, Evaluation, evaluate
from .inference import Watch, crop_logits
from .leakage import EPOCH, HOW, TEMPERATURE, TRAINING, ancestry
from .metrics import curves, resampling
from .metrics.bootstrap import DRAWS, UNITS
from .metrics.calibration import BINS, logits_of, probabilities
from .metrics.curves import Reliability
from .metrics.net_benefit import THRESHOLDS
from .net_benefit import NetBenefit, net_benefit_of
from .operating_rule import (
    OPERATING_POINTS,
    POINT_SCORES,
    OperatingRule,
    notes_of_points,
    shown_threshold,
)
from .plan import EvaluationPlan, EvaluationRequest, plan_evaluation
from .predictions import UNIT_COLUMNS, Predictions, guarded_csv, read_guarded_csv, reordered
from .report_file import read_report
from .scores import (
    COHORT_FORMAT,
    FORMAT,
    KINDS,
    Score,
    ScoreTable,
    missing_scores,
    notes,
    score_columns,
)
from .scoring import BootstrapSettings
from .table import evaluation_tables

__all__ = [
    "ABSENT_CLASSES",
    "AGGREGATES",
    "BINS",
    "COHORTS",
    "COHORT_FORMAT",
    "COLORS_CSV",
    "DRAWS",
    "EPOCH",
    "FEW_OF_A_CLASS",
    "FEW_PATIENTS",
    "FORMAT",
    "HOW",
    "KEEP",
    "KINDS",
    "OF_COHORT",
    "OF_HOME",
    "OPERATING_POINTS",
    "OWN_STAINS",
    "PATIENT_IDS",
    "POINT_SCORES",
    "REFUSE",
    "TEMPERATURE",
    "THRESHOLDS",
    "TRAINING",
    "UNITS",
    "UNIT_COLUMNS",
    "UNKNOWN_CLASSES",
    "Aggregate",
    "Answering",
    "BootstrapSettings",
    "Cohort",
    "Evaluation",
    "EvaluationPlan",
    "EvaluationRequest",
    "NetBenefit",
    "OperatingRule",
    "Outside",
    "Predictions",
    "Reliability",
    "Score",
    "ScoreTable",
    "Watch",
    "about_answers",
    "ancestry",
    "calibration_rows",
    "caveats",
    "comparison",
    "crop_logits",
    "curves",
    "evaluate",
    "evaluation_tables",
    "find_caveats",
    "guarded_csv",
    "leakage",
    "logits_of",
    "mean_logits",
    "missing_scores",
    "net_benefit_of",
    "notes",
    "notes_of_points",
    "operating_points",
    "plan_evaluation",
    "probabilities",
    "read_guarded_csv",
    "read_report",
    "reordered",
    "resampling",
    "rules",
    "score_columns",
    "scoring",
    "shown_threshold",
]
