"""A run's network for other programs: an ONNX file that has been checked, and a model card."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
