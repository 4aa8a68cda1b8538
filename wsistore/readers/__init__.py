"""Slide readers behind one small interface; their libraries are imported when a slide is opened."""

from typing import TYPE_CHECKING

from wsistore.lazy import lazily
from wsistore.readers.registry import AUTO, READERS, open_slide

if TYPE_CHECKING:
    from wsistore.readers.base import Properties, Reader

__all__ = ["AUTO", "READERS", "Properties", "Reader", "open_slide"]
__getattr__ = lazily(
    __name__, {"Properties": "wsistore.readers.base", "Reader": "wsistore.readers.base"}
)
