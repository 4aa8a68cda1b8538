"""What the table of slides knows of crops."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def with_slide_column(crops: pd.DataFrame, slides: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return crops with a column of their slides, as text, empty where nothing is known.

    Args:
        crops: a table with a column slide.
        slides: the store's, with a column slide; without the other one nothing is known.
        column: its name.
    """
    values = slides[column] if column in slides else [""] * len(slides)
    known = dict(zip(slides["slide"], values, strict=True))
    return crops.assign(**{column: crops["slide"].map(known).fillna("").astype(str)})
