from . import losses, teach_plan
from .maps import PAPER
from .settings import DISTILLATION, LEVEL, PAPER_RESIZE, Criterion, DistillationSettings, resize_of
from .source import TeacherSource, open_source, restrict_to_targets
from .targets import TargetsReader, TargetsWriter
from .task import KDTask
from .teach_plan import TeachSettings
from .teaching import teach

__all__ = [
    "DISTILLATION",
    "LEVEL",
    "PAPER",
    "PAPER_RESIZE",
    "Criterion",
    "DistillationSettings",
    "KDTask",
    "TargetsReader",
    "TargetsWriter",
    "TeachSettings",
    "TeacherSource",
    "losses",
    "open_source",
    "resize_of",
    "restrict_to_targets",
    "teach",
    "teach_plan",
]
