from .executor import TIMEOUT, Death, in_workers
from .signals import Terminated, end_with, exit_code, orderly_end
from .worker import end_with_parent, report_progress

__all__ = [
    "TIMEOUT",
    "Death",
    "Terminated",
    "end_with",
    "end_with_parent",
    "exit_code",
    "in_workers",
    "orderly_end",
    "report_progress",
]
