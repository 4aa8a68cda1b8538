"""Is a store whole? Everything in it is read and held against docs/reference/store-format.md."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
