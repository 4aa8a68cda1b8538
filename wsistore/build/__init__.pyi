from .builder import Result, build, continued
from .plan import SlidePlan, plan_slides
from .settings import BuildSettings
from .slide import Slide, open_slide, reader_names

__all__ = [
    "BuildSettings",
    "Result",
    "Slide",
    "SlidePlan",
    "build",
    "continued",
    "open_slide",
    "plan_slides",
    "reader_names",
]
