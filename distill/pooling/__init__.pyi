from .as_runs import collect_folds
from .differences import pooled_differences
from .evaluation import FORMAT, Pooled, pool
from .gather import FoldRun, Passes, gather, passes_of
from .output import FILES, check_pool_folder, pooled_files
from .section import folds_section
from .summary import SUMMARY, summary_files
from .table import spread_table

__all__ = [
    "FILES",
    "FORMAT",
    "SUMMARY",
    "FoldRun",
    "Passes",
    "Pooled",
    "check_pool_folder",
    "collect_folds",
    "folds_section",
    "gather",
    "passes_of",
    "pool",
    "pooled_differences",
    "pooled_files",
    "spread_table",
    "summary_files",
]
