from .annotated import annotation_regions, cover_of, find_annotated
from .detect import find_regions
from .region import Region, Regions
from .settings import METHODS, OUTSIDE_KINDS, REGION_KINDS, AnnotationSettings, TissueSettings
from .thumbnail import Thumbnail, read_thumbnail
from .tissue import tissue_mask

__all__ = [
    "METHODS",
    "OUTSIDE_KINDS",
    "REGION_KINDS",
    "AnnotationSettings",
    "Region",
    "Regions",
    "Thumbnail",
    "TissueSettings",
    "annotation_regions",
    "cover_of",
    "find_annotated",
    "find_regions",
    "read_thumbnail",
    "tissue_mask",
]
