"""The store as analysis sees it, and the arrays and metadata that it is made of."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
