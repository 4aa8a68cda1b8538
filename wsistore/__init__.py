"""Whole-slide images to a Zarr store of tissue crops at several magnifications."""

from wsistore import drawing
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
from wsistore.layers import write_layer
from wsistore.physical import Grid, Span
from wsistore.store import Store, open

__all__ = [
    "Crop",
    "Grid",
    "Pair",
    "ResolutionError",
    "SlideError",
    "Span",
    "Statistics",
    "StorageError",
    "Store",
    "StoreError",
    "UsageError",
    "WsistoreError",
    "drawing",
    "open",
    "statistics",
    "write_layer",
]
__version__ = "0.1.0"
