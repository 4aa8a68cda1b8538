"""A student that decides where it is sure, and a teacher that reads the rest again."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
