from .backbone_classifier import BackboneClassifier
from .build import build, build_resnet, smallest_input
from .choices import ANSWER_PIXELS, BATCH_PIXELS, MAP, MATCHES, POOLINGS
from .classifier import Classifier, Output
from .execution.crop_stream import CropImage, CropViewer, Eye
from .execution.device import available_gib, resolve_device
from .execution.live_memory import LiveMemory
from .execution.memory import memory_of_plans, memory_of_whole
from .execution.precision import precision_of
from .execution.runner import UNBOUNDED, CropRunner, inference_runner
from .feature_maps import FeatureMap, feature_map
from .known_encoders import KNOWN_ENCODERS, KnownEncoder
from .operations import PlainOperations
from .pretrained import WeightsMatch, fill_backbone, read_tensors
from .registry import NETWORKS
from .resnet import ResNet
from .settings import NETWORK, NetworkSettings
from .spec import NetworkSpec, check_name, parse_options
from .tile_encoder import Encoder, MapEncoder, TileEncoder, build_encoder, vector_length

__all__ = [
    "ANSWER_PIXELS",
    "BATCH_PIXELS",
    "KNOWN_ENCODERS",
    "MAP",
    "MATCHES",
    "NETWORK",
    "NETWORKS",
    "POOLINGS",
    "UNBOUNDED",
    "BackboneClassifier",
    "Classifier",
    "CropImage",
    "CropRunner",
    "CropViewer",
    "Encoder",
    "Eye",
    "FeatureMap",
    "KnownEncoder",
    "LiveMemory",
    "MapEncoder",
    "NetworkSettings",
    "NetworkSpec",
    "Output",
    "PlainOperations",
    "ResNet",
    "TileEncoder",
    "WeightsMatch",
    "available_gib",
    "build",
    "build_encoder",
    "build_resnet",
    "check_name",
    "feature_map",
    "fill_backbone",
    "inference_runner",
    "memory_of_plans",
    "memory_of_whole",
    "parse_options",
    "precision_of",
    "read_tensors",
    "resolve_device",
    "smallest_input",
    "vector_length",
]
