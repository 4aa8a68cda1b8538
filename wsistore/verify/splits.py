"""Splits against crops: who is in them, and whether a patient leaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from wsistore import layout
from wsistore.errors import UsageError
from wsistore.records import CropRow, SlideRecord
from wsistore.verify.faults import REMOVE, Fault
from wsistore.verify.tables import TableError, read_rows

COLUMNS = ["crop", "slide", "patient", "label", "subset"]


def check_splits(store: Path, records: Mapping[str, SlideRecord], unread: set[str]) -> list[Fault]:
    """Return what is wrong with the splits of a store.

    Args:
        store: the store's folder.
        records: by slide, what the groups hold.
        unread: slides whose group could not be read; their crops are taken as known.
    """
    crops = {crop.crop: crop for record in records.values() for crop in record.crops}
    faults = []
    folder = store / layout.SPLITS
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):
            continue  # a table that was being written; said among the notes
        file = f"{layout.SPLITS}/{path.name}"
        try:
            named = path.suffix == ".csv" and layout.split_path(store, path.stem) == path
        except UsageError:
            named = False
        if not named:
            faults.append(Fault(file, "is no split: no NAME.csv", REMOVE))
            continue
        do = f"make it again: 'wsistore split --name {path.stem} --overwrite', or mend it by hand"
        try:
            rows = read_rows(path, COLUMNS)
        except TableError as error:
            faults.append(Fault(file, str(error), do))
            continue
        faults += [Fault(file, what, do) for what in split_violations(rows, crops, unread)]
    return faults


def split_violations(
    rows: list[dict[str, str]], crops: Mapping[str, CropRow], unread: set[str]
) -> Iterator[str]:
    """Yield what is wrong with a split, one sentence each.

    A leak is looked for by the patient that the crop's slide group names, and by the one that the
    split names, so that a changed cell hides none.

    Args:
        rows: columns crop, slide, patient, label, subset.
        crops: all crops of the store, by id.
        unread: slides of which nothing is known.
    """
    subsets: dict[str, set[str]] = defaultdict(set)
    seen = set()
    for row in rows:
        name = row["crop"]
        if name in seen:
            yield f"lists crop {name!r} twice"
        seen.add(name)
        if not row["subset"]:
            yield f"gives crop {name!r} no subset"
        subsets[row["patient"]].add(row["subset"])
        crop = crops.get(name)
        if crop is None:
            if name.rsplit("/", 1)[0] not in unread:
                yield f"lists crop {name!r}, which the store does not hold"
            continue
        subsets[crop.patient].add(row["subset"])
        for column in ("slide", "patient", "label"):
            if row[column] != getattr(crop, column):
                yield (
                    f"gives crop {name!r} the {column} {row[column]!r}; the store has "
                    f"{getattr(crop, column)!r}"
                )
    for patient, of in sorted(subsets.items()):
        if len(of) > 1:
            yield f"patient {patient!r} is in {len(of)} subsets: {', '.join(sorted(of))}"
