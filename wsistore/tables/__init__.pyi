from .columns import split_fault
from .duplicates import Duplicates
from .index import (
    REINDEX,
    read_record,
    read_records,
    read_settings,
    read_split,
    read_table,
    record_from_json,
    record_to_json,
    update_index,
)
from .records import LATER_COLUMNS, OUTCOMES, CropRow, LevelRow, SlideRecord, SlideRow

__all__ = [
    "LATER_COLUMNS",
    "OUTCOMES",
    "REINDEX",
    "CropRow",
    "Duplicates",
    "LevelRow",
    "SlideRecord",
    "SlideRow",
    "read_record",
    "read_records",
    "read_settings",
    "read_split",
    "read_table",
    "record_from_json",
    "record_to_json",
    "split_fault",
    "update_index",
]
