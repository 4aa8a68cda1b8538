from . import folder
from .calibration import Calibration, run_calibration
from .choices import BASE, VENDOR
from .known_slides import seen_slides
from .overlay import draw_overlay
from .report import SlidePredictions, as_report, crops_csv, predictions, slides_csv
from .slide import SlideJob, SlideLogits, failed_slide, predict_slide
from .table import crops_table, slides_table
from .training_domain import TrainingDomain, domain_of

__all__ = [
    "BASE",
    "VENDOR",
    "Calibration",
    "SlideJob",
    "SlideLogits",
    "SlidePredictions",
    "TrainingDomain",
    "as_report",
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
