from . import sizes, timing
from .flops import (
    COUNTERS,
    Agreement,
    Cost,
    Watch,
    agree,
    cost,
    gmac,
    over_passes,
    over_sizes,
    parameters,
    summary,
)
from .memory import peak_memory
from .report import FORMAT, UNITS, block, measured
from .table import cost_csv, cost_table

__all__ = [
    "COUNTERS",
    "FORMAT",
    "UNITS",
    "Agreement",
    "Cost",
    "Watch",
    "agree",
    "block",
    "cost",
    "cost_csv",
    "cost_table",
    "gmac",
    "measured",
    "over_passes",
    "over_sizes",
    "parameters",
    "peak_memory",
    "sizes",
    "summary",
    "timing",
]
