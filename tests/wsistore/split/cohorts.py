"""Crops tables of made-up patients, and stores that hold tables only, no pixels."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from wsistore.tables.index import write_index
from wsistore.tables.records import CropRow, SlideRecord, SlideRow

# Patients of each class that the counts of the paper's Table 2 imply: crops per patient of the
# labelled set (100 patients a class) bring the 300 patients of ADv1 and 1,004 of ADv2 to these.
CELIAC = {"celiac sprue": 168, "non-specific duodenitis": 128, "normal": 1068}


def crops_table(patients: Mapping[str, Sequence[str | None]], seed: int = 0) -> pd.DataFrame:
    """Crops of patients with a slide for each label given (None: unlabelled), in random order."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{patient}-{number}/{n}", f"{patient}-{number}", patient, label)
        for patient, labels in patients.items()
        for number, label in enumerate(labels)
        for n in range(rng.integers(1, 5))
    ]
    table = pd.DataFrame(rows, columns=["crop", "slide", "patient", "label"])
    table["label"] = table["label"].astype(object).where(table["label"].notna(), np.nan)
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


def cohort(sizes: Mapping[str, int], unlabeled: int = 0, seed: int = 0) -> pd.DataFrame:
    """Crops of `sizes[label]` patients a class, one to three slides each, and unlabelled ones."""
    rng = np.random.default_rng(seed)
    patients: dict[str, list[str | None]] = {
        f"{label}{n}": [label] * int(rng.integers(1, 4))
        for label, size in sizes.items()
        for n in range(size)
    }
    patients |= {f"unknown{n}": [None] for n in range(unlabeled)}
    return crops_table(patients, seed)


def cohorts(least: int = 3) -> st.SearchStrategy[pd.DataFrame]:
    """Cohorts of two classes with at least `least` patients each; some have several labels."""
    return st.builds(
        lambda a, b, mixed, unlabeled, seed: pd.concat(
            [
                cohort({"a": a, "b": b}, unlabeled, seed),
                crops_table({f"mixed{n}": ["a", "b", None] for n in range(mixed)}, seed),
            ],
            ignore_index=True,
        ),
        st.integers(least, 20),
        st.integers(least, 20),
        st.integers(0, 4),
        st.integers(0, 6),
        st.integers(0, 9),
    )


def patients_of(table: pd.DataFrame, *subsets: str) -> set[str]:
    return set(table["patient"][table["subset"].isin(subsets)])


def write_store(path: Path, crops: pd.DataFrame, empty: Sequence[str] = ()) -> Path:
    """Write a store of these crops, and of slides without any; also what it is extended by."""
    path.mkdir(exist_ok=True)
    settings = {"format": 1, "levels": ["10x"], "regions": "tissue", "exact_mpp": False}
    attributes = {"wsistore": settings}
    root = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
    (path / "zarr.json").write_text(json.dumps(root))
    records = {
        name: SlideRecord(SlideRow(name, "empty", file=f"{name}.svs", mpp=1.0)) for name in empty
    }
    for slide, rows in crops.groupby("slide"):
        patient = rows["patient"].iloc[0]
        row = SlideRow(str(slide), "ok", file=f"{slide}.svs", mpp=1.0, patient=patient)
        found = [
            CropRow(r.crop, r.slide, r.patient, r.label if r.label == r.label else "", *[9] * 6)
            for r in rows.sort_values("crop").itertuples()
        ]
        records[str(slide)] = SlideRecord(row, tuple(found))
    write_index(path, records)
    return path
