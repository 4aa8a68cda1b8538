from .model import Annotation
from .rasterize import Cover, glass_outside
from .source import AnnotationSource

__all__ = [
    "Annotation",
    "AnnotationSource",
    "Cover",
    "glass_outside",
]
