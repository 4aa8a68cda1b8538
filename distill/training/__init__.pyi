from .embedded import train_on_embeddings
from .embedded_settings import EmbeddedSettings
from .finetune import train_finetune
from .kd import train_kd
from .options import DATA, MACHINE, RUN, TrainingOptions
from .presets import PRESETS
from .pretrained_settings import PretrainedSettings
from .run_record import method, recipe, tracked
from .supervised import train_supervised

__all__ = [
    "DATA",
    "MACHINE",
    "PRESETS",
    "RUN",
    "EmbeddedSettings",
    "PretrainedSettings",
    "TrainingOptions",
    "method",
    "recipe",
    "tracked",
    "train_finetune",
    "train_kd",
    "train_on_embeddings",
    "train_supervised",
]
