"""What is wrong with a split, judged by the store's own crops and patients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wsistore.slides import ALL_CLASSES, ClassMap
from wsistore.split.fold_names import repeat_name
from wsistore.split.labeled_faults import labeled_faults
from wsistore.split.same_files import FINGERPRINT, file_leaks
from wsistore.split.subsets import EXCLUDED, is_aux, is_union
from wsistore.tables import split_fault

if TYPE_CHECKING:
    import pandas as pd


_SHARED = ("crop", "slide", "patient", "label")


class Fault(NamedTuple):
    """A fault: one word for its kind, such as leak, unknown or missing, and a sentence."""

    kind: str
    text: str


def leaks(split: pd.DataFrame) -> list[str]:
    """Return the patients in more than one subset, sorted; excluded crops do not count."""
    rows = split[split["subset"] != EXCLUDED]
    subsets = rows.groupby("patient")["subset"].nunique()
    return sorted(str(patient) for patient in subsets.index[subsets > 1])


def faults(
    split: pd.DataFrame, crops: pd.DataFrame, classes: ClassMap = ALL_CLASSES
) -> list[Fault]:
    """Return the faults of a split, an empty list if it is sound.

    The patient of a crop is the one that the store names, whatever the split says. Every crop of
    a patient of the split must be listed; crops without a label only in auxiliary sets.

    Args:
        split: the table as it was read; columns crop, slide, patient, label, subset.
        crops: the store's, columns crop, slide, patient, label; and fingerprint, of the crop's
            slide, by which one file under two patients is found.
        classes: which classes the split tells apart, as its record has it. Its labels must be the
            store's after it, and crops of a class that it leaves out must be `EXCLUDED`.
    """
    if lacking := split_fault(split):
        return [Fault("columns", lacking)]
    out = set(crops["crop"][classes.excluded(crops["label"])])
    crops = crops.assign(label=classes.merged(crops["label"]))
    joined = split.merge(crops[[*_SHARED]], on="crop", how="left", suffixes=("", "_store"))
    known = joined["slide_store"].notna()
    return [
        *_names(split),
        *_crops(split, joined[~known]),
        *_values(joined[known], set(crops["patient"])),
        *_classes(joined[known & joined["crop"].isin(list(out))]),
        *_leaks(joined.assign(patient=joined["patient_store"].fillna(joined["patient"]))),
        *(Fault("leak", text) for text in file_leaks(_as_stored(joined, crops))),
        *(Fault("labeled set", text) for text in labeled_faults(split, crops)),
        *_missing(joined[known & (joined["subset"] != EXCLUDED)], out | set(split["crop"]), crops),
    ]


def fold_faults(tables: Mapping[str, pd.DataFrame]) -> list[Fault]:
    """Return the faults that splits have as the folds of one cross-validation.

    Args:
        tables: name of each fold's split → its table; of all repeats, where folds are repeated.
    """
    repeats: dict[str, dict[str, list[str]]] = {}
    for name, table in tables.items():
        tested = repeats.setdefault(repeat_name(name), {})
        for subset in ("train", "val", "test"):
            for patient in table["patient"][table["subset"] == subset].unique():
                tested.setdefault(str(patient), []).extend([name] if subset == "test" else [])
    everybody = sorted({patient for tested in repeats.values() for patient in tested})
    return [
        Fault("fold", _tested(patient, tested.get(patient, []), repeat if len(repeats) > 1 else ""))
        for repeat, tested in repeats.items()
        for patient in everybody
        if len(tested.get(patient, [])) != 1
    ]


def _tested(patient: str, names: Sequence[str], repeat: str) -> str:
    where = " and ".join(names) or f"no fold{repeat and f' of {repeat}'}"
    return f"patient {patient!r} is tested in {where}"


def _names(split: pd.DataFrame) -> Iterator[Fault]:
    for name in sorted({str(name) for name in split["subset"].dropna()}):
        if is_union(name):
            yield Fault(
                "subset", f"subset {name!r} stands for several; call its crops aux1, aux2, …"
            )
    for crop in split["crop"][split["subset"].isna() | (split["subset"] == "")]:
        yield Fault("subset", f"crop {crop!r} has no subset")


def _crops(split: pd.DataFrame, unknown: pd.DataFrame) -> Iterator[Fault]:
    for crop in split["crop"][split["crop"].duplicated()].unique():
        yield Fault("twice", f"crop {crop!r} is listed more than once")
    for crop, patient in zip(unknown["crop"], unknown["patient"], strict=True):
        yield Fault("unknown", f"crop {crop!r} of patient {patient!r} is not in the store")


def _values(joined: pd.DataFrame, patients: set[str]) -> Iterator[Fault]:
    """Yield what a split says of a crop and the store does not; a label may be withheld."""
    for column in ("slide", "patient", "label"):
        said, truth = joined[column], joined[f"{column}_store"]
        same = (said == truth).fillna(False) | ((column == "label") & (said.isna() | (said == "")))
        for crop, word, other in zip(joined["crop"][~same], said[~same], truth[~same], strict=True):
            unknown = ", whom the store does not know" if word not in patients else ""
            about = unknown if column == "patient" else ""
            is_ = repr(other) if isinstance(other, str) else "none"
            yield Fault(column, f"crop {crop!r} has {column} {word!r}{about}; the store: {is_}")


def _classes(rows: pd.DataFrame) -> Iterator[Fault]:
    """Yield the crops of classes that are left out, and in a set all the same."""
    inside = rows[rows["subset"] != EXCLUDED]
    for crop, label, subset in zip(
        inside["crop"], inside["label_store"], inside["subset"], strict=True
    ):
        text = f"crop {crop!r} is of class {label!r}, which the split leaves out, and in {subset}"
        yield Fault("class", text)


def _leaks(rows: pd.DataFrame) -> Iterator[Fault]:
    for patient in leaks(rows):
        own = rows[(rows["patient"] == patient) & (rows["subset"] != EXCLUDED)]
        where = ", ".join(
            f"{subset} ({', '.join(sorted(set(part['crop'])))})"
            for subset, part in own.groupby("subset", sort=True)
        )
        yield Fault("leak", f"patient {patient!r} is in more than one subset: {where}")


def _as_stored(joined: pd.DataFrame, crops: pd.DataFrame) -> pd.DataFrame:
    """Return a split's rows with the slides, patients and fingerprints of the store."""
    known = joined[joined["slide_store"].notna()]
    rows = known[["crop", "subset"]]
    rows = rows.assign(slide=known["slide_store"], patient=known["patient_store"])
    if FINGERPRINT not in crops:
        return rows
    return rows.merge(crops[["crop", FINGERPRINT]], on="crop")


def _missing(rows: pd.DataFrame, listed: set[str], crops: pd.DataFrame) -> Iterator[Fault]:
    subsets = rows.groupby("patient_store")["subset"].agg(lambda part: part.iloc[0])
    subset = crops["patient"].map(subsets)
    wanted = subset.notna() & (crops["label"].notna() | subset.map(is_aux).astype(bool))
    absent = crops[wanted & ~crops["crop"].isin(list(listed))]
    for patient, part in absent.groupby("patient", sort=True):
        yield Fault(
            "missing",
            f"patient {patient!r} is in {subsets[patient]}, but these crops are not listed: "
            f"{', '.join(part['crop'])}",
        )
