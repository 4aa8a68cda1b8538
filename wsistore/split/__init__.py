"""Splits: which patients train, validate, test, or teach without labels."""

from wsistore.split.allocation import counts
from wsistore.split.assignment import assign
from wsistore.split.check import check_split, checkable
from wsistore.split.files import (
    Record,
    changed_since,
    class_map,
    read_record,
    read_tables,
    save_split,
    save_splits,
)
from wsistore.split.from_csv import read_own
from wsistore.split.publication import finish
from wsistore.split.request import SUBSETS, SplitRequest
from wsistore.split.same_files import groups as patient_groups
from wsistore.split.same_files import with_fingerprints
from wsistore.split.subsets import EXCLUDED, is_aux, rows_of, set_names
from wsistore.split.tables import COLUMNS, extend_split, make_split, tabulate
from wsistore.split.validation import Fault, faults, fold_faults, leaks

__all__ = [
    "COLUMNS",
    "EXCLUDED",
    "SUBSETS",
    "Fault",
    "Record",
    "SplitRequest",
    "assign",
    "changed_since",
    "check_split",
    "checkable",
    "class_map",
    "counts",
    "extend_split",
    "faults",
    "finish",
    "fold_faults",
    "is_aux",
    "leaks",
    "make_split",
    "patient_groups",
    "read_own",
    "read_record",
    "read_tables",
    "rows_of",
    "save_split",
    "save_splits",
    "set_names",
    "tabulate",
    "with_fingerprints",
]
