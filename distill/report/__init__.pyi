from .evaluations import Evaluated, collect
from .formatting import ends, interval, markdown, percent, quantity
from .methods import methods_of
from .mistakes import shown_mistakes, worst_mistakes
from .notices import notices_of
from .page.document import assemble
from .page.folder import PAGE, check_report_folder, overlays, write_report
from .page.html import report_files
from .page.mistake_cards import mistake_cards, preview_links
from .page.svg import FAINT, INK, SERIES, drawing, picture
from .scores import measure
from .verdict import Question, judge_students

__all__ = [
    "FAINT",
    "INK",
    "PAGE",
    "SERIES",
    "Evaluated",
    "Question",
    "assemble",
    "check_report_folder",
    "collect",
    "drawing",
    "ends",
    "interval",
    "judge_students",
    "markdown",
    "measure",
    "methods_of",
    "mistake_cards",
    "notices_of",
    "overlays",
    "percent",
    "picture",
    "preview_links",
    "quantity",
    "report_files",
    "shown_mistakes",
    "worst_mistakes",
    "write_report",
]
