from .curves import pooled
from .evaluations import CohortPlace, Collected, Evaluated, collect
from .formatting import (
    cut_short,
    ends,
    folder_names,
    interval,
    magnification,
    markdown,
    markdown_table,
    percent,
    quantity,
)
from .methods import MethodRow, methods_of
from .mistakes import shown_mistakes, worst_mistakes
from .notices import notices_of
from .page.cells import LEVEL, METHOD, head, score, scored
from .page.document import assemble
from .page.figures import method_styles
from .page.folder import PAGE, check_report_folder, overlays, write_report
from .page.html import report_files
from .page.mistake_cards import mistake_cards, preview_links
from .page.sections import Attached, Section
from .page.svg import (
    FAINT,
    INK,
    MARKERS,
    SERIES,
    WIDTH,
    ZONE,
    Picture,
    drawing,
    figure_files,
    picture,
)
from .page.table import Cell, Column, Table, columns, count, text
from .scores import Measured, measure
from .verdict import Question, judge_students

__all__ = [
    "FAINT",
    "INK",
    "LEVEL",
    "MARKERS",
    "METHOD",
    "PAGE",
    "SERIES",
    "WIDTH",
    "ZONE",
    "Attached",
    "Cell",
    "CohortPlace",
    "Collected",
    "Column",
    "Evaluated",
    "Measured",
    "MethodRow",
    "Picture",
    "Question",
    "Section",
    "Table",
    "assemble",
    "check_report_folder",
    "collect",
    "columns",
    "count",
    "cut_short",
    "drawing",
    "ends",
    "figure_files",
    "folder_names",
    "head",
    "interval",
    "judge_students",
    "magnification",
    "markdown",
    "markdown_table",
    "measure",
    "method_styles",
    "methods_of",
    "mistake_cards",
    "notices_of",
    "overlays",
    "percent",
    "picture",
    "pooled",
    "preview_links",
    "quantity",
    "report_files",
    "score",
    "scored",
    "shown_mistakes",
    "text",
    "worst_mistakes",
    "write_report",
]
