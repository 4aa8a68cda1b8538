"""The tables of a store: rows, their text, and how they follow from the slides' own records."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
