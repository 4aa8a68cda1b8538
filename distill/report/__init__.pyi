from .evaluations import collect
from .methods import methods_of
from .notices import notices_of
from .page.document import assemble
from .page.folder import PAGE, check_report_folder, overlays, write_report
from .page.html import report_files
from .scores import measure
from .verdict import Question, judge_students

__all__ = [
    "PAGE",
    "Question",
    "assemble",
    "check_report_folder",
    "collect",
    "judge_students",
    "measure",
    "methods_of",
    "notices_of",
    "overlays",
    "report_files",
    "write_report",
]
