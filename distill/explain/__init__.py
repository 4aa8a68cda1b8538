"""Where a network looked: Grad-CAM++ maps of a run, or of two, as layers, pictures and figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
