from . import losses, teach_plan
from .criterion import DISTILLATION, PAPER_RESIZE, Criterion, resize_of
from .losses import PAPER
from .source import DistillationSettings, TeacherSource, open_source, restrict_to_targets
from .targets import TargetsReader, TargetsWriter
from .task import KDTask
from .teach_plan import LEVEL, TeachSettings
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
