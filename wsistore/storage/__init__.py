"""Where a store is, a folder or a URL, and how things appear in it whole."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
