"""Whole-slide images to a Zarr store of tissue crops at several magnifications."""

from wsistore.channels import Statistics, statistics
from wsistore.errors import (
    ResolutionError,
    SlideError,
    StorageError,
    StoreError,
    UsageError,
    WsistoreError,
)
from wsistore.find import find_slides
from wsistore.handle import Crop, Pair
from wsistore.layout import slide_id
from wsistore.slide import Slide, open_slide, reader_names
from wsistore.store import Store, open
from wsistore.workers import run as in_workers

__all__ = [
    "Crop",
    "Pair",
    "ResolutionError",
    "Slide",
    "SlideError",
    "Statistics",
    "StorageError",
    "Store",
    "StoreError",
    "UsageError",
    "WsistoreError",
    "find_slides",
    "in_workers",
    "open",
    "open_slide",
    "reader_names",
    "slide_id",
    "statistics",
]
__version__ = "0.1.0"
