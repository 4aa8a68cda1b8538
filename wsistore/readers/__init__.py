"""Slide readers behind one small interface; their libraries are imported when a slide is opened."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
