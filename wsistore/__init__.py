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
from wsistore.handle import Crop, Pair
from wsistore.store import Store, open

__all__ = [
    "Crop",
    "Pair",
    "ResolutionError",
    "SlideError",
    "Statistics",
    "StorageError",
    "Store",
    "StoreError",
    "UsageError",
    "WsistoreError",
    "open",
    "statistics",
]
__version__ = "0.1.0"
