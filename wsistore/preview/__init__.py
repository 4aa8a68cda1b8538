"""A store as one looks at it: a contact sheet a slide, and one page for the cohort."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
