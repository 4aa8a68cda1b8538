from .assignment import assign
from .check import check_split, checkable
from .files import (
    Record,
    changed_since,
    class_map,
    family_record,
    read_record,
    read_tables,
    save_split,
    save_splits,
)
from .fold_names import families
from .folds import Fold, fold_of, folds_of
from .from_csv import read_split_csv
from .labeled_sets import LabeledRequest, draw_labeled
from .publication import finish, interrupted_splits, require_finished
from .request import SUBSETS, SplitRequest
from .same_files import FINGERPRINT, patient_groups, with_fingerprints
from .set_counts import SplitInfo, count_split
from .sites import SITE, site_faults, site_names, with_sites
from .subsets import EXCLUDED, rows_of, set_names
from .tables import extend_split, make_split
from .validation import Fault, faults, fold_faults, leaks

__all__ = [
    "EXCLUDED",
    "FINGERPRINT",
    "SITE",
    "SUBSETS",
    "Fault",
    "Fold",
    "LabeledRequest",
    "Record",
    "SplitInfo",
    "SplitRequest",
    "assign",
    "changed_since",
    "check_split",
    "checkable",
    "class_map",
    "count_split",
    "draw_labeled",
    "extend_split",
    "families",
    "family_record",
    "faults",
    "finish",
    "fold_faults",
    "fold_of",
    "folds_of",
    "interrupted_splits",
    "leaks",
    "make_split",
    "patient_groups",
    "read_record",
    "read_split_csv",
    "read_tables",
    "require_finished",
    "rows_of",
    "save_split",
    "save_splits",
    "set_names",
    "site_faults",
    "site_names",
    "with_fingerprints",
    "with_sites",
]
