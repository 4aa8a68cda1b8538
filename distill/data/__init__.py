"""Crops as samples: which, in what order, how read, augmented, normalized and batched."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
