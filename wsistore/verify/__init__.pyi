from .findings import Check, Report
from .run import verify

__all__ = [
    "Check",
    "Report",
    "verify",
]
