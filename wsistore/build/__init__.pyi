from .builder import Result, build, with_stored_tissue_method
from .plan import SlidePlan, plan_slides
from .settings import BuildSettings
from .slide import Slide, check_settings, open_slide, reader_names, settings_of_both

__all__ = [
    "BuildSettings",
    "Result",
    "Slide",
    "SlidePlan",
    "build",
    "check_settings",
    "open_slide",
    "plan_slides",
    "reader_names",
    "settings_of_both",
    "with_stored_tissue_method",
]
