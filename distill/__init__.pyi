from .evaluation import Predictions
from .kd import TargetsReader, TargetsWriter, losses
from .networks import NETWORKS, build
from .predict import predict_slide
from .runs import Run

__all__ = [
    "NETWORKS",
    "Predictions",
    "Run",
    "TargetsReader",
    "TargetsWriter",
    "build",
    "losses",
    "predict_slide",
]
