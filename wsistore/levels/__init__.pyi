from .box import Box, is_reduced_size, merge_overlapping, output_length, snap
from .convolution import BLOCK_COLUMNS
from .grid import AxisGrid, BoxUm, PixelGrid, box_um, format_box, reason_outside
from .kernel import Taps, taps
from .lanczos import MAX_ROWS, StreamingDownsampler, downsample
from .magnification import DEFAULT_LEVELS, Level, levels_of, nominal_mpp, parse_levels

__all__ = [
    "BLOCK_COLUMNS",
    "DEFAULT_LEVELS",
    "MAX_ROWS",
    "AxisGrid",
    "Box",
    "BoxUm",
    "Level",
    "PixelGrid",
    "StreamingDownsampler",
    "Taps",
    "box_um",
    "downsample",
    "format_box",
    "is_reduced_size",
    "levels_of",
    "merge_overlapping",
    "nominal_mpp",
    "output_length",
    "parse_levels",
    "reason_outside",
    "snap",
    "taps",
]
