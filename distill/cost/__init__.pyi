from . import sizes, timing
from .flops import COUNTERS, Cost, Watch, cost, gmac, over_sizes, parameters, summary
from .memory import peak_memory
from .report import FORMAT, UNITS, block, measured
from .table import cost_csv, cost_table

__all__ = [
    "COUNTERS",
    "FORMAT",
    "UNITS",
    "Cost",
    "Watch",
    "block",
    "cost",
    "cost_csv",
    "cost_table",
    "gmac",
    "measured",
    "over_sizes",
    "parameters",
    "peak_memory",
    "sizes",
    "summary",
    "timing",
]
