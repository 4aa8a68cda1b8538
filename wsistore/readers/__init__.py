"""Slide readers behind one small interface."""

from wsistore.readers.base import Properties, Reader
from wsistore.readers.choose import READERS, open_slide

__all__ = ["READERS", "Properties", "Reader", "open_slide"]
