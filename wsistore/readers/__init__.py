"""Slide readers behind one small interface."""

from wsistore.readers.base import Properties, Reader
from wsistore.readers.choose import AUTO, READERS, open_slide

__all__ = ["AUTO", "READERS", "Properties", "Reader", "open_slide"]
