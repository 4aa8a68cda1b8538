from .callbacks import Callback, CallbackList
from .distributed import DistributedContext, init_distributed
from .loggers import TRACKERS, require
from .progress import Console
from .settings import OPTIMIZATION, ComputeSettings, TrainingSettings
from .task import Metrics, SupervisedTask, Task
from .trainer import fit

__all__ = [
    "OPTIMIZATION",
    "TRACKERS",
    "Callback",
    "CallbackList",
    "ComputeSettings",
    "Console",
    "DistributedContext",
    "Metrics",
    "SupervisedTask",
    "Task",
    "TrainingSettings",
    "fit",
    "init_distributed",
    "require",
]
