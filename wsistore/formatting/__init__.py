"""What people read: numbers, names, messages, pictures' lettering; numbers that they write."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
