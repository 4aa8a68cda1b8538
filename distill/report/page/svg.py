"""Figures as SVG: the same bytes for the same data, on paper and in light and dark pages."""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT, RULE, ZONE = "#1c2026", "#626a74", "#dfe3e8", "#f6e7e3"
SERIES = ("#b35900", "#0b62a8", "#0a7d5b", "#8f4a9e", "#5d6b1f", "#a3324f")
"""Baseline first, then students; dark enough for text, told apart by the colour-blind."""
MARKERS = ("s", "o", "^", "D", "v", "P")
VARIABLES = {INK: "ink", FAINT: "faint", RULE: "rule", ZONE: "zone"} | {
    color: f"s{number}" for number, color in enumerate(SERIES)
}
"""Colours of the figures, and the CSS variables that stand for them in the page."""
DPI = 200
"""Of a figure's PNG file."""
WIDTH = 5.8
"""Inches, at 72 units each; the page shows them somewhat larger."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10,
}
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: of its file, without ending.
        title: what it shows.
        alt: the same in full, for whoever cannot see it.
        svg: the file.
    """

    name: str
    title: str
    alt: str
    svg: str

    def file(self) -> bytes:
        """Return it as a file: on white, so that it can be read on any page."""
        start = self.svg.index(">", self.svg.index("<svg")) + 1
        ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return f"{self.svg[:start]}{ground}{self.svg[start:]}\n".encode()

    def inline(self) -> str:
        """Return it as an element of an HTML page, in the colours of the page's variables."""
        text = self.svg[self.svg.index("<svg") :]
        for color, variable in VARIABLES.items():
            text = text.replace(color, f"var(--{variable})")
        label = html.escape(self.alt, quote=True)
        return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


@contextmanager
def drawing(name: str, width: float, height: float) -> Iterator[Figure]:
    """Give a figure of some inches, in the style of the report; see `picture`."""
    # here, for it takes half a second that `distill --help` does not need
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # the browser draws the text, with fonts of its own
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        yield Figure(figsize=(width, height), layout="constrained")


def picture(figure: Figure, name: str, title: str, alt: str) -> Picture:
    """Return a drawn figure, inside the `drawing` that made it.

    Its ids begin with its name, so that several can stand in one page.
    """
    written = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(written, format="svg", transparent=True, metadata=empty)
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", written.getvalue(), flags=re.DOTALL)
    svg = re.sub(r"<!DOCTYPE.*?>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'((?:xlink:)?href="|url\()#', rf"\g<1>#{name}-", svg)
    svg = svg.replace("'DejaVu Sans', sans-serif", _FONT.replace('"', "'"))
    return Picture(name, title, alt, "\n".join(line for line in svg.splitlines() if line.strip()))


def figure_files(figure: Figure, drawn: Picture) -> dict[str, bytes]:
    """Return a drawn figure as files by name, SVG and PNG, inside the `drawing` that made it.

    Args:
        figure: the figure.
        drawn: its `picture`.
    """
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return {f"{drawn.name}.svg": drawn.file(), f"{drawn.name}.png": png.getvalue()}
