from .execution.device import available_gib, resolve_device
from .execution.memory import memory_of_plans
from .execution.runner import BATCH_PIXELS, UNBOUNDED, CropRunner, inference_runner
from .feature_maps import FeatureMap, feature_map
from .operations import PlainOperations
from .registry import NETWORKS, build, smallest_input
from .resnet import Output, ResNet

__all__ = [
    "BATCH_PIXELS",
    "NETWORKS",
    "UNBOUNDED",
    "CropRunner",
    "FeatureMap",
    "Output",
    "PlainOperations",
    "ResNet",
    "available_gib",
    "build",
    "feature_map",
    "inference_runner",
    "memory_of_plans",
    "resolve_device",
    "smallest_input",
]
