"""Levels: boxes, scales, grids, and how the pixels of a level are made. Pure arithmetic."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
