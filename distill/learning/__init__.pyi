from .choices import ALL, LABELED, SCORE, TEACHER, CurveRun, folder_name, labeled_set
from .equivalence import needed_patients
from .gather import gather_curve, require_curve
from .measure import measure_curve
from .output import FILES, FOLDER, curve_files
from .sentences import answers_of

__all__ = [
    "ALL",
    "FILES",
    "FOLDER",
    "LABELED",
    "SCORE",
    "TEACHER",
    "CurveRun",
    "answers_of",
    "curve_files",
    "folder_name",
    "gather_curve",
    "labeled_set",
    "measure_curve",
    "needed_patients",
    "require_curve",
]
