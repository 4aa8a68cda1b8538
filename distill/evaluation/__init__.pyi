from . import caveats, comparison, leakage, operating_points, scoring
from .caveats import FEW_OF_A_CLASS, FEW_PATIENTS, find_caveats
from .choices import AGGREGATES, Aggregate
from .evaluator import OWN_STAINS, evaluate
from .inference import Watch, crop_logits
from .leakage import EPOCH, HOW, TEMPERATURE, TRAINING, ancestry, calibration_rows
from .metrics import curves, resampling
from .metrics.bootstrap import DRAWS, UNITS
from .metrics.calibration import BINS, probabilities
from .metrics.curves import Reliability
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
from .scores import FORMAT, KINDS, Score, ScoreTable, missing_scores, notes, score_columns
from .scoring import BootstrapSettings
from .table import evaluation_tables

__all__ = [
    "AGGREGATES",
    "BINS",
    "DRAWS",
    "EPOCH",
    "FEW_OF_A_CLASS",
    "FEW_PATIENTS",
    "FORMAT",
    "HOW",
    "KINDS",
    "OPERATING_POINTS",
    "OWN_STAINS",
    "POINT_SCORES",
    "TEMPERATURE",
    "TRAINING",
    "UNITS",
    "UNIT_COLUMNS",
    "Aggregate",
    "BootstrapSettings",
    "EvaluationPlan",
    "EvaluationRequest",
    "OperatingRule",
    "Predictions",
    "Reliability",
    "Score",
    "ScoreTable",
    "Watch",
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
    "missing_scores",
    "notes",
    "notes_of_points",
    "operating_points",
    "plan_evaluation",
    "probabilities",
    "read_guarded_csv",
    "read_report",
    "reordered",
    "resampling",
    "score_columns",
    "scoring",
    "shown_threshold",
]
