from .reader import TargetsReader
from .schema import CropTargets, TargetsMetadata, pixels_sha256
from .target import TeacherOutput
from .writer import TargetsWriter

__all__ = [
    "CropTargets",
    "TargetsMetadata",
    "TargetsReader",
    "TargetsWriter",
    "TeacherOutput",
    "pixels_sha256",
]
