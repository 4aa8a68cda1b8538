"""From a slide to the boxes of its crops: tissue, the whole slide, or drawn regions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
