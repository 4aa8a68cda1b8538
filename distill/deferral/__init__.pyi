from .choices import POINTS
from .choosing import Rule, choose
from .curve import curve_of, operating_point
from .folder import check_defer_folder, summary, write_deferral
from .on_slides import SlideDeferral, slide_deferral
from .pair import read_pair, seen_patients, unseen_pair
from .section import deferral_section, read_deferral

__all__ = [
    "POINTS",
    "Rule",
    "SlideDeferral",
    "check_defer_folder",
    "choose",
    "curve_of",
    "deferral_section",
    "operating_point",
    "read_deferral",
    "read_pair",
    "seen_patients",
    "slide_deferral",
    "summary",
    "unseen_pair",
    "write_deferral",
]
