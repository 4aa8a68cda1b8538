"""Stored targets: what a teacher says of each crop, as Zarr arrays.

docs/reference/targets-format.md has the format.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
