"""The cohort's page: one HTML file that asks nothing of the network. Pure: data in, text out."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from wsistore.formatting import label_text, millimetres, size_text, visible
from wsistore.preview.slide_view import CropView, SlideView
from wsistore.store import Info

if TYPE_CHECKING:
    from wsistore.preview.slide_view import RenderedSlide

GENERATOR = "wsistore preview"
"""What the page's head says it was made by; a folder with such a page may be replaced."""


@cache
def _environment() -> Environment:
    loader = PackageLoader("wsistore.preview", ".")
    made = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
        # every value passes here, so that a name with a line break or a control shows as such
        finalize=lambda value: visible(value) if type(value) is str else value,
    )  # fmt: skip
    made.filters |= {"bytes": size_text, "label": label_text, "path": quote}
    return made


def _source(name: str) -> tuple[str, str]:
    """Return a file of the page and the hash by which a browser is allowed to use it."""
    loader = _environment().loader
    assert loader is not None
    text = loader.get_source(_environment(), name)[0]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"sha256-{digest}"


def crop_text(crop: CropView, mpp: float) -> str:
    """Return a crop's sizes: level-0 pixels, mm, and its tissue where it was measured."""
    box = crop.box
    mm = millimetres(box.width, box.height, mpp)
    tissue = "" if crop.tissue_mm2 is None else f" · {crop.tissue_mm2:.2f} mm²"
    return f"{mm} · {box.width:,} × {box.height:,} px{tissue}"


def _card(drawn: RenderedSlide, numbers: dict[str | None, int]) -> dict[str, Any]:
    view: SlideView = drawn.view
    row = view.row
    read = row["outcome"] != "failed"
    width, height = row["width"], row["height"]
    areas = [crop.tissue_mm2 for crop in view.crops if crop.tissue_mm2 is not None]
    return {
        "slide": view.slide,
        "outcome": row["outcome"],
        "reason": row["reason"] or "",
        "warning": row["warning"] or "",
        "fault": drawn.fault,
        "patient": row["patient"],
        "labels": [(numbers[label], label) for label in view.labels],
        "crops": [(crop, crop_text(crop, row["mpp"])) for crop in view.crops],
        "count": len(view.crops),
        "several": len(view.labels) > 1,
        "tissue": f"{sum(areas):.2f} mm² of tissue" if areas else "",
        "size": f"{width:,} × {height:,} px" if read else "",
        "mm": millimetres(width, height, row["mpp"]) if read else "",
        "mpp": row["mpp"] if read else "",
        "resolution": f"{row['mpp']:.4g} µm/px ({row['mpp_source']})" if read else "",
        "picture": drawn.size,
    }


def page(info: Info, drawn: Sequence[RenderedSlide]) -> str:
    """Return the cohort's page as HTML.

    Every name of the store is escaped. The page's style and script are inline and allowed by
    their hashes alone; nothing else may run, and nothing but pictures beside it is fetched.

    Args:
        info: what the store holds.
        drawn: its slides, in the order they are to be shown.
    """
    labels = {label for one in drawn for label in one.view.labels}
    # by name, and those without a label last
    ordered = sorted(labels, key=lambda label: (label is None, label or ""))
    numbers = {label: number for number, label in enumerate(ordered)}
    style, style_hash = _source("page.css")
    script, script_hash = _source("page.js")
    name = info.store.rstrip("/").rsplit("/", 1)[-1]
    text = _environment().get_template("page.html.j2").render(
        generator=GENERATOR, style=style, style_hash=style_hash, script=script,
        script_hash=script_hash, name=name, info=info, labels=list(enumerate(ordered)),
        most=max((part.crops for part in info.classes), default=0),
        cards=[_card(one, numbers) for one in drawn],
        faults=sum(bool(one.fault) for one in drawn),
        total_bytes=sum(level.bytes for level in info.levels),
        recorded=not any(level.unrecorded for level in info.levels),
    )  # fmt: skip
    return text if text.endswith("\n") else f"{text}\n"
