from .choices import POINTS
from .choosing import Rule, choose
from .curve import curve_of, operating_point
from .folder import check_defer_folder, summary, write_deferral
from .pair import read_pair, seen_patients, unseen_pair

__all__ = [
    "POINTS",
    "Rule",
    "check_defer_folder",
    "choose",
    "curve_of",
    "operating_point",
    "read_pair",
    "seen_patients",
    "summary",
    "unseen_pair",
    "write_deferral",
]
