"""Regions drawn in QuPath, ASAP, Aperio ImageScope or HALO: files, polygons and their pixels."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
