"""Learning curves: what more labelled patients buy, for a network alone and for a taught one."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
