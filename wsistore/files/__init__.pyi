from . import atomic, limits
from .json_record import json_record, json_value
from .locks import NO_LOCK_FLAG, Lock, LockedError, NoLocksError, is_free, require_locks
from .output_lock import OutputLock, in_use
from .parsing import ParseError, parse_json, parse_toml
from .paths import absolute, file_name, hidden, nfc
from .user_table import Row, UserTable, read_user_table
from .xml import parse_xml

__all__ = [
    "NO_LOCK_FLAG",
    "Lock",
    "LockedError",
    "NoLocksError",
    "OutputLock",
    "ParseError",
    "Row",
    "UserTable",
    "absolute",
    "atomic",
    "file_name",
    "hidden",
    "in_use",
    "is_free",
    "json_record",
    "json_value",
    "limits",
    "nfc",
    "parse_json",
    "parse_toml",
    "parse_xml",
    "read_user_table",
    "require_locks",
]
