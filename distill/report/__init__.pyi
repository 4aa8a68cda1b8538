from .evaluations import collect
from .methods import methods_of
from .page.document import assemble
from .page.folder import PAGE, check_report_folder, overlays, write_report
from .page.html import report_files
from .scores import measure
from .verdict import Question

__all__ = [
    "PAGE",
    "Question",
    "assemble",
    "check_report_folder",
    "collect",
    "measure",
    "methods_of",
    "overlays",
    "report_files",
    "write_report",
]
