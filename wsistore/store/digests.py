"""What tells two stores or splits apart: SHA-256 of their bytes, in hexadecimal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from wsistore.errors import StorageError, StoreError
from wsistore.storage import StoreRoot


def file_sha256(place: StoreRoot) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises:
        StoreError: it is missing or cannot be read.
    """
    try:
        return hashlib.sha256(place.read_bytes()).hexdigest()
    except StorageError:  # a whole sentence already
        raise
    except OSError as error:
        raise StoreError(f"{place}: cannot be read: {error.strerror or error}") from error


def settings_sha256(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of settings as JSON, UTF-8.

    Keys are sorted at every depth, ``, `` and ``: `` separate, and nothing is escaped that need not
    be: the order and the layout in which a store's metadata has them do not count.
    """
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
