"""What a network costs: multiply-adds and operations, memory, seconds.

Counting (`counts`) and memory (`memory`) need no pixel; seconds (`timing`) are measured.
"""

from distill.cost.flops import (
    COUNTERS,
    Agreement,
    Cost,
    agree,
    cost,
    each,
    fvcore_mac,
    gmac,
    over_sizes,
    parameters,
    summary,
)
from distill.cost.memory import Memory, memory

__all__ = [
    "COUNTERS",
    "Agreement",
    "Cost",
    "Memory",
    "agree",
    "cost",
    "each",
    "fvcore_mac",
    "gmac",
    "memory",
    "over_sizes",
    "parameters",
    "summary",
]
