from .base import Properties, Reader
from .checks.native_levels import NativeLevels
from .checks.seams import seam_warning
from .registry import AUTO, READERS, open_slide
from .resolution import resolve

__all__ = [
    "AUTO",
    "READERS",
    "NativeLevels",
    "Properties",
    "Reader",
    "open_slide",
    "resolve",
    "seam_warning",
]
