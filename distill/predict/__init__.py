"""From a raw slide to class probabilities: the crops, pixels and answers of build and evaluate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
