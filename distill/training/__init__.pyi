from .finetune import train_finetune
from .kd import train_kd
from .options import gather
from .presets import PRESETS
from .supervised import train_supervised

__all__ = [
    "PRESETS",
    "gather",
    "train_finetune",
    "train_kd",
    "train_supervised",
]
