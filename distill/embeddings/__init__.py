"""Vectors of tiles: a frozen network looks once, and heads learn from what it said.

docs/reference/embeddings-format.md has the format and the rule of tiles.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
