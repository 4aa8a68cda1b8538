"""Whole-slide images to a Zarr store of tissue crops at several magnifications."""

from wsistore.errors import (
    ResolutionError,
    SlideError,
    StoreError,
    UsageError,
    WsistoreError,
)
from wsistore.store import Crop, Store, open

__all__ = [
    "Crop",
    "ResolutionError",
    "SlideError",
    "Store",
    "StoreError",
    "UsageError",
    "WsistoreError",
    "open",
]
__version__ = "0.1.0"
