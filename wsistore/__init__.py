"""Whole-slide images to a Zarr store of tissue crops at several magnifications."""

from typing import TYPE_CHECKING

from wsistore.lazy import lazily

if TYPE_CHECKING:
    from wsistore import atomic, drawing, terminal, texts
    from wsistore.channels import Statistics, statistics
    from wsistore.classes import ClassMap, parse_classes
    from wsistore.ending import Terminated, end_with, exit_code, orderly_end
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
    from wsistore.find import find_slides
    from wsistore.handle import Crop, Pair
    from wsistore.identity import RULES as ID_RULES
    from wsistore.identity import SlideFile
    from wsistore.labels import read_labels
    from wsistore.layers import write_layer
    from wsistore.layout import slide_id
    from wsistore.locks import Lock, LockedError, NoLocksError, require_locks
    from wsistore.output_lock import OutputLock, in_use
    from wsistore.parsing import parse_json, parse_toml
    from wsistore.paths import absolute, file_name
    from wsistore.physical import Grid, Span
    from wsistore.slide import Slide, open_slide, reader_names
    from wsistore.store import Store, open
    from wsistore.worker import report_progress
    from wsistore.workers import TIMEOUT, Death
    from wsistore.workers import run as in_workers

__all__ = [
    "ID_RULES",
    "TIMEOUT",
    "ClassMap",
    "Crop",
    "Death",
    "Grid",
    "Lock",
    "LockedError",
    "NoLocksError",
    "OutputLock",
    "Pair",
    "ResolutionError",
    "Slide",
    "SlideError",
    "SlideFile",
    "Span",
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
        "ClassMap": "wsistore.classes",
        "Crop": "wsistore.handle",
        "Death": "wsistore.workers",
        "Grid": "wsistore.physical",
        "ID_RULES": "wsistore.identity:RULES",
        "Lock": "wsistore.locks",
        "LockedError": "wsistore.locks",
        "NoLocksError": "wsistore.locks",
        "OutputLock": "wsistore.output_lock",
        "Pair": "wsistore.handle",
        "ResolutionError": "wsistore.errors",
        "Slide": "wsistore.slide",
        "SlideError": "wsistore.errors",
        "SlideFile": "wsistore.identity",
        "Span": "wsistore.physical",
        "Statistics": "wsistore.channels",
        "StorageError": "wsistore.errors",
        "Store": "wsistore.store",
        "StoreError": "wsistore.errors",
        "TIMEOUT": "wsistore.workers",
        "Terminated": "wsistore.ending",
        "UsageError": "wsistore.errors",
        "WsistoreError": "wsistore.errors",
        "absolute": "wsistore.paths",
        "atomic": "wsistore.atomic",
        "drawing": "wsistore.drawing",
        "end_with": "wsistore.ending",
        "exit_code": "wsistore.ending",
        "file_name": "wsistore.paths",
        "find_slides": "wsistore.find",
        "in_use": "wsistore.output_lock",
        "in_workers": "wsistore.workers:run",
        "naming": "wsistore.errors",
        "open": "wsistore.store",
        "open_slide": "wsistore.slide",
        "orderly_end": "wsistore.ending",
        "parse_classes": "wsistore.classes",
        "parse_json": "wsistore.parsing",
        "parse_toml": "wsistore.parsing",
        "read_labels": "wsistore.labels",
        "reader_names": "wsistore.slide",
        "refusal": "wsistore.errors",
        "report_progress": "wsistore.worker",
        "require_locks": "wsistore.locks",
        "slide_id": "wsistore.layout",
        "statistics": "wsistore.channels",
        "terminal": "wsistore.terminal",
        "texts": "wsistore.texts",
        "write_layer": "wsistore.layers",
    },
)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
