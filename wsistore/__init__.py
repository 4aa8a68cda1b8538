"""Whole-slide images to a Zarr store of tissue crops at several magnifications."""

from typing import TYPE_CHECKING

from wsistore.lazy import lazily

if TYPE_CHECKING:
    from wsistore.build.slide import Slide, open_slide, reader_names
    from wsistore.errors import (
        ResolutionError,
        SlideError,
        StorageError,
        StoreError,
        UsageError,
        WsistoreError,
        naming,
        refusal,
    )
    from wsistore.files import atomic
    from wsistore.files.locks import Lock, LockedError, NoLocksError, require_locks
    from wsistore.files.output_lock import OutputLock, in_use
    from wsistore.files.parsing import parse_json, parse_toml
    from wsistore.files.paths import absolute, file_name
    from wsistore.formatting import drawing, terminal, texts
    from wsistore.levels.grid import AxisGrid, PixelGrid
    from wsistore.parallel.executor import TIMEOUT, Death, in_workers
    from wsistore.parallel.signals import Terminated, end_with, exit_code, orderly_end
    from wsistore.parallel.worker import report_progress
    from wsistore.slides.classes import ClassMap, parse_classes
    from wsistore.slides.discovery import find_slides
    from wsistore.slides.ids import ID_RULES
    from wsistore.slides.labels import read_labels
    from wsistore.slides.slide import SlideFile
    from wsistore.storage.layout import slide_id
    from wsistore.store.channel_statistics import Statistics, statistics
    from wsistore.store.crop import Crop, Pair
    from wsistore.store.layers import write_layer
    from wsistore.store.store import Store, open

__all__ = [
    "ID_RULES",
    "TIMEOUT",
    "AxisGrid",
    "ClassMap",
    "Crop",
    "Death",
    "Lock",
    "LockedError",
    "NoLocksError",
    "OutputLock",
    "Pair",
    "PixelGrid",
    "ResolutionError",
    "Slide",
    "SlideError",
    "SlideFile",
    "Statistics",
    "StorageError",
    "Store",
    "StoreError",
    "Terminated",
    "UsageError",
    "WsistoreError",
    "absolute",
    "atomic",
    "drawing",
    "end_with",
    "exit_code",
    "file_name",
    "find_slides",
    "in_use",
    "in_workers",
    "naming",
    "open",
    "open_slide",
    "orderly_end",
    "parse_classes",
    "parse_json",
    "parse_toml",
    "read_labels",
    "reader_names",
    "refusal",
    "report_progress",
    "require_locks",
    "slide_id",
    "statistics",
    "terminal",
    "texts",
    "write_layer",
]
__version__ = "0.1.0"
__getattr__ = lazily(
    __name__,
    {
        "ClassMap": "wsistore.slides.classes",
        "Crop": "wsistore.store.crop",
        "Death": "wsistore.parallel.executor",
        "PixelGrid": "wsistore.levels.grid",
        "ID_RULES": "wsistore.slides.ids",
        "Lock": "wsistore.files.locks",
        "LockedError": "wsistore.files.locks",
        "NoLocksError": "wsistore.files.locks",
        "OutputLock": "wsistore.files.output_lock",
        "Pair": "wsistore.store.crop",
        "ResolutionError": "wsistore.errors",
        "Slide": "wsistore.build.slide",
        "SlideError": "wsistore.errors",
        "SlideFile": "wsistore.slides.ids",
        "AxisGrid": "wsistore.levels.grid",
        "Statistics": "wsistore.store.channel_statistics",
        "StorageError": "wsistore.errors",
        "Store": "wsistore.store.store",
        "StoreError": "wsistore.errors",
        "TIMEOUT": "wsistore.parallel.executor",
        "Terminated": "wsistore.parallel.signals",
        "UsageError": "wsistore.errors",
        "WsistoreError": "wsistore.errors",
        "absolute": "wsistore.files.paths",
        "atomic": "wsistore.atomic",
        "drawing": "wsistore.drawing",
        "end_with": "wsistore.parallel.signals",
        "exit_code": "wsistore.parallel.signals",
        "file_name": "wsistore.files.paths",
        "find_slides": "wsistore.slides.discovery",
        "in_use": "wsistore.files.output_lock",
        "in_workers": "wsistore.parallel.executor",
        "naming": "wsistore.errors",
        "open": "wsistore.store.store",
        "open_slide": "wsistore.build.slide",
        "orderly_end": "wsistore.parallel.signals",
        "parse_classes": "wsistore.slides.classes",
        "parse_json": "wsistore.files.parsing",
        "parse_toml": "wsistore.files.parsing",
        "read_labels": "wsistore.slides.labels",
        "reader_names": "wsistore.build.slide",
        "refusal": "wsistore.errors",
        "report_progress": "wsistore.parallel.worker",
        "require_locks": "wsistore.files.locks",
        "slide_id": "wsistore.storage.layout",
        "statistics": "wsistore.store.channel_statistics",
        "terminal": "wsistore.terminal",
        "texts": "wsistore.texts",
        "write_layer": "wsistore.store.layers",
    },
)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
