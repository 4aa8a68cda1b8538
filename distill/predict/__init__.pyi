from . import folder
from .answers import SlidePredictions, predictions
from .calibration import Calibration, run_calibration
from .choices import BASE, VENDOR
from .known_slides import seen_slides
from .overlay import draw_overlay
from .reading import NOTABLE, RunJob
from .report import (
    as_report,
    calibration_json,
    colors_json,
    crops_csv,
    slides_csv,
)
from .second_run import SecondJob
from .slide import SlideJob, predict_slide
from .slide_logits import SlideLogits, failed_slide
from .table import crops_table, slides_table
from .training_domain import TrainingDomain, domain_of

__all__ = [
    "BASE",
    "NOTABLE",
    "VENDOR",
    "Calibration",
    "RunJob",
    "SecondJob",
    "SlideJob",
    "SlideLogits",
    "SlidePredictions",
    "TrainingDomain",
    "as_report",
    "calibration_json",
    "colors_json",
    "crops_csv",
    "crops_table",
    "domain_of",
    "draw_overlay",
    "failed_slide",
    "folder",
    "predict_slide",
    "predictions",
    "run_calibration",
    "seen_slides",
    "slides_csv",
    "slides_table",
]
