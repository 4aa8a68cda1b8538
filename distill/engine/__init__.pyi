from .callbacks import Callback, CallbackList
from .compute_settings import ComputeSettings
from .epochs import run_epochs
from .label_settings import LabelSettings, class_weights
from .loggers import TRACKERS, require
from .progress import Console
from .settings import OPTIMIZATION, TrainingSettings
from .task import Metrics, SupervisedTask, Task, head_of
from .trainer import fit, validate

__all__ = [
    "OPTIMIZATION",
    "TRACKERS",
    "Callback",
    "CallbackList",
    "ComputeSettings",
    "Console",
    "LabelSettings",
    "Metrics",
    "SupervisedTask",
    "Task",
    "TrainingSettings",
    "class_weights",
    "fit",
    "head_of",
    "require",
    "run_epochs",
    "validate",
]
