from . import layout, staging, upload
from .base import METADATA, LocalRoot, StoreLike, StoreRoot, group_metadata
from .layout import slide_id
from .locate import open_root
from .staging import clear_leftovers, index_lock, require_store_locks

__all__ = [
    "METADATA",
    "LocalRoot",
    "StoreLike",
    "StoreRoot",
    "clear_leftovers",
    "group_metadata",
    "index_lock",
    "layout",
    "open_root",
    "require_store_locks",
    "slide_id",
    "staging",
    "upload",
]
