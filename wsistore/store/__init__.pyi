from .array_writer import LevelWriter, transpose_and_sum, write_bytes
from .channel_statistics import Statistics, statistics
from .crop import Crop, Pair
from .crop_picture import fitted
from .layers import write_layer
from .ome import image_attributes, translation
from .relabel import Change, apply_relabeling, plan_relabeling, stored_labels
from .shard import chunk_and_shard_shape
from .store import Store, open
from .summary import Info, LevelInfo

__all__ = [
    "Change",
    "Crop",
    "Info",
    "LevelInfo",
    "LevelWriter",
    "Pair",
    "Statistics",
    "Store",
    "apply_relabeling",
    "chunk_and_shard_shape",
    "fitted",
    "image_attributes",
    "open",
    "plan_relabeling",
    "statistics",
    "stored_labels",
    "translation",
    "transpose_and_sum",
    "write_bytes",
    "write_layer",
]
