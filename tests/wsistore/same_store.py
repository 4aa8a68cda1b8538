"""What two stores must have in common to be the same store."""

from pathlib import Path

import numpy as np
import pandas as pd

import wsistore


def content(place: Path | wsistore.Store) -> dict[str, object]:
    """Return all that a store says: tables, splits, every pixel of every level."""
    store = place if isinstance(place, wsistore.Store) else wsistore.open(place)
    pixels = {
        f"{crop.name}/{level}": np.asarray(crop[level][:]).tobytes()
        for crop in store
        for level in crop.levels
    }
    tables = {name: getattr(store, name).to_csv() for name in ("slides", "crops", "levels")}
    splits = {name: store.split(name).to_csv() for name in store.splits}
    return {"pixels": pixels, **tables, **splits}


def assert_same(path: Path, reference: dict[str, object]) -> None:
    """Fail unless the store at ``path`` says what ``reference`` says, and nothing is left over."""
    assert content(path) == reference
    names = sorted(p.name for p in (path / "slides").iterdir() if p.is_dir())
    crops = pd.read_csv(path / "crops.csv", dtype=str)
    assert set(crops["slide"]) <= set(names)
    assert not [p for p in (path / ".building").iterdir() if p.is_dir()]
