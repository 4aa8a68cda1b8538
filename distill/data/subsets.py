"""Which crops of a split can be used, at which levels, and why the others cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

import wsistore
from distill.errors import SubsetError, UsageError


@dataclass(frozen=True)
class Subset:
    """Part of a split.

    Attributes:
        name: train, val, test, or whatever the split calls it.
        crops: ids, in the order of the split table.
        labels: one per crop; None where the crop has none.
        left_out: id of each crop that cannot be used, and why.
    """

    name: str
    crops: tuple[str, ...]
    labels: tuple[str | None, ...]
    left_out: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.crops)

    def labeled(self) -> tuple[str, ...]:
        """Return the ids of the crops that have a label, whatever it is."""
        pairs = zip(self.crops, self.labels, strict=True)
        return tuple(crop for crop, label in pairs if label is not None)


def require_level(store: wsistore.Store, level: str) -> None:
    """Raise SubsetError, listing the levels there are, unless the store has this one."""
    if level not in store.level_names:
        there = ", ".join(store.level_names)
        raise SubsetError(f"{store.url} has no level {level}; --level can be: {there}")


def select(
    store: wsistore.Store,
    split: str,
    subset: str,
    levels: Sequence[str],
    smallest: int,
    *,
    labeled: bool,
    classes: wsistore.ClassMap | None = None,
) -> Subset:
    """Return the crops of a subset that have all levels, large enough, and a label if wanted.

    Args:
        store: the store.
        split: name of the split.
        subset: name of the subset; several joined by +, whose crops are taken together.
        levels: names of the levels that are to be read.
        smallest: least height and width, in pixels, at each of the levels.
        labeled: whether a crop without a label is left out.
        classes: what labels count as; crops of a class that it leaves out are left out. None for
            the labels of the split, whatever they are.

    Raises:
        SubsetError: if a level or the subset does not exist, no crop of it can be used, or the
            split is older than the store's patients or labels; see `require_current`.
        wsistore.WsistoreError: if the split does not exist.
    """
    for level in levels:
        require_level(store, level)
    rows = rows_of(store, split, subset)
    require_current(store, split, rows, labels=labeled)
    given = rows["label"] if "label" in rows else [float("nan")] * len(rows)
    sizes = _sizes(store.levels)
    crops, labels, left_out = [], [], {}
    for crop, label in zip(rows["crop"].astype(str), given, strict=True):
        reason = _fault(crop, levels, sizes, smallest)
        if reason is None and labeled and pd.isna(label):
            reason = "has no label"
        name = None if pd.isna(label) else str(label)
        if reason is None and name is not None and classes is not None:
            name = classes.of(label := name)
            if name is None:
                reason = f"is of class {label}, which is left out"
        if reason is None:
            crops.append(crop)
            labels.append(name)
        else:
            left_out[crop] = reason
    if not crops:
        first = next(iter(left_out))
        raise SubsetError(
            f"no {subset} crop of split {split} of {store.url} can be used; "
            f"for example {first} {left_out[first]}"
        )
    return Subset(subset, tuple(crops), tuple(labels), left_out)


def require_current(store: wsistore.Store, split: str, rows: pd.DataFrame, *, labels: bool) -> None:
    """Refuse a split from before patients or labels of the store were corrected.

    Args:
        store: the store.
        split: name of the split.
        rows: of the split, those that are to be used; a label that it withholds is not compared.
        labels: whether their labels are used.

    Raises:
        SubsetError: if a crop has another patient or label in the store.
    """
    now = store.crops[["crop", "patient", "label"]].set_index("crop").reindex(rows["crop"])
    columns = {"patient": now["patient"]}
    if labels and "label" in rows:
        columns["label"] = store.class_map(split).merged(now["label"])
    for column, stored in columns.items():
        said = rows[column].to_numpy(object)
        differ = pd.notna(said) & (said != stored.to_numpy(object))
        if differ.any():
            place = int(differ.argmax())
            is_ = "none" if pd.isna(stored.iloc[place]) else repr(stored.iloc[place])
            raise SubsetError(
                f"split {split} of {store.url} says {column} {said[place]!r} of crop "
                f"{rows['crop'].iloc[place]}, and the store {is_}: it was corrected since; "
                f"'wsistore split {store.url} --check' names what to make again"
            )


def select_named(
    store: wsistore.Store, crops: Sequence[str], levels: Sequence[str], smallest: int
) -> Subset:
    """Return the crops of these names, each once, with the labels of the store.

    Args:
        store: the store.
        crops: ids.
        levels: names of the levels that are to be read.
        smallest: least height and width, in pixels, at each of the levels.

    Raises:
        SubsetError: if a level does not exist, or one of the crops does not or cannot be used.
    """
    for level in levels:
        require_level(store, level)
    given = dict(zip(store.crops["crop"].astype(str), store.crops["label"], strict=True))
    sizes = _sizes(store.levels)
    names = tuple(dict.fromkeys(crops))
    for crop in names:
        if crop not in given:
            raise SubsetError(f"{store.url} has no crop {crop}; ids look like SLIDE/0")
        if reason := _fault(crop, levels, sizes, smallest):
            raise SubsetError(f"crop {crop} of {store.url} {reason}")
    labels = (None if pd.isna(given[crop]) else str(given[crop]) for crop in names)
    return Subset("crops named", names, tuple(labels), {})


def rows_of(store: wsistore.Store, split: str, subset: str) -> pd.DataFrame:
    """Return the rows of a split's set, or of several joined by +, in the split's order.

    A set is what `wsistore.Store.subset` knows: a subset such as train, or ADv2, all of the nested
    auxiliary sets up to the second, or L10, the crops of ten training patients.

    Raises:
        SubsetError: if one of the sets does not exist.
        wsistore.WsistoreError: if the split does not exist.
    """
    table = store.split(split)
    wanted: set[str] = set()
    for name in subset.split("+"):
        try:
            wanted.update(store.subset(split, name)["crop"])
        except wsistore.StoreError as error:
            raise SubsetError(str(error)) from error
    return table[table["crop"].isin(wanted)]


def labels_of(store: wsistore.Store, split: str, subset: str) -> dict[str, str]:
    """Return crop → label as the split has it, of the labelled crops of a set; see `rows_of`."""
    rows = rows_of(store, split, subset)
    known = rows[rows["label"].notna()]
    return dict(zip(known["crop"].astype(str), known["label"].astype(str), strict=True))


def has_subset(store: wsistore.Store, split: str, subset: str) -> bool:
    """Say whether a split has any crop in this subset."""
    return bool((store.split(split)["subset"] == subset).any())


def require_apart(store: wsistore.Store, split: str, subset: str, val: str) -> None:
    """Refuse to validate on what is trained on, or on what is kept for scores.

    Args:
        store, split: of both sets.
        subset: what is trained on; several joined by +.
        val: what shall validate.

    Raises:
        UsageError: if `val` is test, or the two share a crop.
        SubsetError: if one of the sets does not exist.
    """
    if val == "test":
        raise UsageError(
            "--val-subset test: scores are taken on test, so it must not choose the epoch; "
            "validate on another set"
        )
    both = set(rows_of(store, split, subset)["crop"]) & set(rows_of(store, split, val)["crop"])
    if both:
        raise UsageError(
            f"--val-subset {val} shares {len(both)} crops with {subset}, which is trained on, "
            f"for example {min(both)}; validate on another set of split {split}"
        )


def class_names(train: Subset, val: Subset | None) -> list[str]:
    """Return the sorted labels of the training crops.

    Raises:
        SubsetError: if there are fewer than two, or a validation crop has another.
    """
    names = sorted({label for label in train.labels if label is not None})
    if len(names) < 2:
        raise SubsetError(
            f"the training crops have one class only ({names[0]}); classifying needs two or more"
        )
    for crop, label in zip(val.crops, val.labels, strict=True) if val else ():
        if val and label not in names:
            raise SubsetError(
                f"{val.name} crop {crop} is labelled {label}, a class that no training crop has "
                f"({', '.join(names)}); choose another --split"
            )
    return names


def rows_at(levels: pd.DataFrame, crops: Iterable[str], level: str) -> pd.DataFrame:
    """Return the rows of `store.levels` of some crops at a level, in the store's order."""
    return levels[(levels["level"] == level) & levels["crop"].isin(set(crops))]


def median_mpp(store: wsistore.Store, crops: Sequence[str], level: str) -> float:
    """Return the median µm per pixel of some crops at a level; it differs between slides."""
    return float(rows_at(store.levels, crops, level)["mpp"].median())


def _sizes(levels: pd.DataFrame) -> dict[tuple[str, str], tuple[int, int]]:
    columns = (levels[name] for name in ("crop", "level", "height", "width"))
    return {(str(c), str(n)): (int(h), int(w)) for c, n, h, w in zip(*columns, strict=True)}


def _fault(
    crop: str,
    levels: Sequence[str],
    sizes: Mapping[tuple[str, str], tuple[int, int]],
    smallest: int,
) -> str | None:
    for level in levels:
        if (crop, level) not in sizes:
            return f"has no level {level}"
        if (fault := too_small(*sizes[crop, level], level, smallest)) is not None:
            return fault
    return None


def too_small(height: int, width: int, level: str, smallest: int) -> str | None:
    """Say why a network that needs ``smallest`` pixels a side cannot take a crop; None if it can.

    Args:
        height, width: of the crop, in pixels of the level.
        level: its name.
        smallest: least height and width.
    """
    if min(height, width) >= smallest:
        return None
    return f"is {height} × {width} px at {level}, and the network needs {smallest} px a side"


def left_out_note(
    subset: str, left_out: Mapping[str, str], file: str = "config.json", what: str = "crops"
) -> str:
    """Return one line that says how many crops of a subset are left out, and why the first are.

    `file` is where all of them are listed; `what` they are.
    """
    first = "; ".join(f"{crop} {reason}" for crop, reason in list(left_out.items())[:3])
    more = f"; {len(left_out) - 3} more in {file}" if len(left_out) > 3 else ""
    return f"left out {len(left_out)} {subset} {what}: {first}{more}"
