"""Mistakes as a table and as cards, each with a small picture of its crop."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import wsistore
from distill.report.formatting import NONE, percent
from distill.report.methods import OTHER
from distill.report.mistakes import Answer, Mistake, Mistakes
from distill.report.page.cells import LEVEL, METHOD, head
from distill.report.page.table import Cell, Column, Table, columns, text
from wsistore import texts

SIDE = 144
"""Pixels of a picture's longer side."""
QUALITY = 80
"""Of its JPEG file."""


@dataclass(frozen=True)
class Card:
    """A mistake as the page shows it.

    Attributes:
        mistake: the crop, and what is said of it.
        who: made it: "student", "baseline", "teacher" or "run".
        name: of its picture in the report's folder.
        jpeg: the picture; empty where the store cannot give it.
        size: its width and height in pixels.
        link: to the crop in a preview of the store; "" where there is none.
    """

    mistake: Mistake
    who: str
    name: str
    jpeg: bytes
    size: tuple[int, int]
    link: str

    @property
    def data(self) -> str:
        """The picture as a data URI."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode()}"


@dataclass(frozen=True)
class MistakeCards:
    """The mistakes of one row as cards.

    Attributes:
        found: of every row, for the table.
        shown: those of the cards.
        cards: one for each mistake.
        fault: why pictures are missing, of the first of them; "" where none is.
    """

    found: tuple[Mistakes, ...]
    shown: Mistakes
    cards: tuple[Card, ...]
    fault: str = ""


def mistake_cards(
    store: wsistore.Store,
    found: Sequence[Mistakes],
    shown: Mistakes,
    links: Mapping[str, str],
) -> MistakeCards:
    """Read the pictures of the crops from the store, from the coarsest level that is as large.

    A crop whose pixels are missing or damaged has no picture, and the reason is kept.

    Args:
        store: the store.
        found: the mistakes of every row.
        shown: those to make cards of.
        links: by crop, see `preview_links`.
    """
    made, fault = [], ""
    who = "run" if shown.row.kind == OTHER else shown.row.kind
    for number, mistake in enumerate(shown.worst, start=1):
        jpeg, size = b"", (0, 0)
        try:
            jpeg, size = _picture(store[mistake.crop])
        except wsistore.StoreError as error:
            # what is missing hides no mistake: the page and the command say it
            fault = fault or texts.without_folders(str(error), store.url)
        link = links.get(mistake.crop, "")
        made.append(Card(mistake, who, f"mistakes/{number:03}.jpg", jpeg, size, link))
    return MistakeCards(tuple(found), shown, tuple(made), fault)


def preview_links(preview: Path, out: Path, crops: Sequence[str]) -> dict[str, str]:
    """Return where each crop stands in a preview of the store, seen from the report's folder.

    Args:
        preview: a folder that `wsistore preview` wrote.
        out: the report's folder.
        crops: ids.

    Raises:
        wsistore.UsageError: it is no preview, or has none of the crops.
    """
    place = quote(Path(os.path.relpath(preview.resolve(), out.resolve())).as_posix())
    found = wsistore.crop_links(preview, crops)
    return {crop: f"{place}/{link}" for crop, link in found.items()}


def mistake_table(found: Sequence[Mistakes]) -> Table:
    """Return the worst mistakes of every row."""
    made = columns(
        LEVEL, METHOD, *(Column(one, (one,), number=False) for one in ("crop", "slide", "truth")),
        Column("predicted", ("predicted", "probability", "probability_of_truth"), number=False),
        Column("teacher", ("teacher", "teacher_predicted", "teacher_probability",
                           "teacher_probability_of_truth"), number=False),
    )  # fmt: skip
    body = [
        (*head(one.row), text(mistake.crop), text(mistake.slide), text(mistake.truth),
         _cell(mistake.own), _cell(mistake.teacher, one.minus or None))
        for one in found for mistake in one.worst
    ]  # fmt: skip
    return Table("mistakes", "The worst mistakes of every method", "", made, tuple(body))


def said(answer: Answer | None) -> str:
    """Return an answer in words: "normal, 98.3 %"."""
    return (
        NONE if answer is None else f"{answer.predicted}, {percent(answer.probability, 1)}\u00a0%"
    )


def _cell(answer: Answer | None, *before: str | None) -> Cell:
    if answer is None:
        return Cell(NONE, (*before, None, None, None))
    return Cell(said(answer), (*before, answer.predicted, answer.probability, answer.of_truth))


def _picture(crop: wsistore.Crop) -> tuple[bytes, tuple[int, int]]:
    from PIL import Image

    left, top, right, bottom = crop.box_um
    scale = SIDE / max(right - left, bottom - top)
    width, height = (max(1, round(side * scale)) for side in (right - left, bottom - top))
    file = io.BytesIO()
    Image.fromarray(crop.picture(width, height)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue(), (width, height)
