"""Networks, thin ResNets with group norms, and how one is run on a crop of any size."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
