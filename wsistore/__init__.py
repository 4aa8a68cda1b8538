"""Whole-slide images to a Zarr store of tissue crops at several magnifications."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
