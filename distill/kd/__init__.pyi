from . import losses, teach_plan
from .criterion import PAPER_RESIZE, Criterion, resize_of, resizers_of
from .losses import DISTANCES, RESIZERS
from .source import DistillationSettings, open_source, restrict_to_targets
from .targets import TargetsReader, TargetsWriter
from .task import KDTask
from .teach_plan import LEVEL, TeachSettings
from .teaching import teach

__all__ = [
    "DISTANCES",
    "LEVEL",
    "PAPER_RESIZE",
    "RESIZERS",
    "Criterion",
    "DistillationSettings",
    "KDTask",
    "TargetsReader",
    "TargetsWriter",
    "TeachSettings",
    "losses",
    "open_source",
    "resize_of",
    "resizers_of",
    "restrict_to_targets",
    "teach",
    "teach_plan",
]
