from . import drawing, terminal, texts
from .drawing import FAINT, INK, RULE, font, one_line, scale_bar
from .progress import progress_bar
from .quantities import UnitlessError, micrometers, micrometers_of, power
from .terminal import echo, echo_json, prepare_streams, print_traceback
from .texts import label_text, millimetres, size_text, unsafe, visible, without_folders

__all__ = [
    "FAINT",
    "INK",
    "RULE",
    "UnitlessError",
    "drawing",
    "echo",
    "echo_json",
    "font",
    "label_text",
    "micrometers",
    "micrometers_of",
    "millimetres",
    "one_line",
    "power",
    "prepare_streams",
    "print_traceback",
    "progress_bar",
    "scale_bar",
    "size_text",
    "terminal",
    "texts",
    "unsafe",
    "visible",
    "without_folders",
]
