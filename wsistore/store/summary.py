"""What a store holds, from its tables alone: no array is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from wsistore.levels import nominal_mpp
from wsistore.split import SplitInfo, count_split
from wsistore.tables import OUTCOMES

if TYPE_CHECKING:
    import pandas as pd

    from wsistore.slides import ClassMap


@dataclass(frozen=True)
class Spread:
    """How a quantity is spread: quartiles interpolate linearly, as numpy's percentiles do."""

    minimum: float
    q1: float
    median: float
    q3: float
    maximum: float


@dataclass(frozen=True)
class LevelInfo:
    """One level over all crops: a row of the paper's Table 1, its true scale, and its storage.

    Attributes:
        level: its name.
        nominal_mpp: µm per pixel, 10 / magnification.
        crops: how many crops have it.
        height, width: pixels; None without crops.
        mpp: true µm per pixel, one value a slide; None without crops.
        deviation: true scale / nominal scale − 1, one value a slide; None without crops.
        pixels: of all crops together.
        bytes: in the store, of the crops whose bytes were recorded.
        unrecorded: crops whose bytes were not (built before they were).
    """

    level: str
    nominal_mpp: float
    crops: int
    height: Spread | None
    width: Spread | None
    mpp: Spread | None
    deviation: Spread | None
    pixels: int
    bytes: int
    unrecorded: int


@dataclass(frozen=True)
class Problem:
    """A slide that gave no crops, and why."""

    slide: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class SlidePatient:
    """A slide and the patient that it is of."""

    slide: str
    patient: str


@dataclass(frozen=True)
class ClassInfo:
    """What the store holds of a class; ``label`` None is what has no label."""

    label: str | None
    patients: int
    slides: int
    crops: int


@dataclass(frozen=True)
class Info:
    """All that ``wsistore info`` tells; ``asdict`` of it is its JSON, None being null.

    Attributes:
        store, format, regions, exact_mpp, apply_icc: what the store is and how it was built.
        outcomes: slides tried, per outcome.
        problems: every slide that is not ok.
        warnings: slides that are stored with a warning.
        duplicates: slides that are one file under several names.
        patients, crops: with at least one crop; crops.
        classes: unlabelled last.
        mpp_sources: slides that were read, per source of their µm per pixel.
        slide_mpp: µm per level-0 pixel of those slides.
        levels: finest first.
        splits: by name.
    """

    store: str
    format: int
    regions: str
    exact_mpp: bool
    apply_icc: bool
    outcomes: dict[str, int]
    problems: tuple[Problem, ...]
    warnings: int
    duplicates: tuple[tuple[SlidePatient, ...], ...]
    patients: int
    crops: int
    classes: tuple[ClassInfo, ...]
    mpp_sources: dict[str, int]
    slide_mpp: Spread | None
    levels: tuple[LevelInfo, ...]
    splits: tuple[SplitInfo, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` writes."""
        return asdict(self)


def summarize(
    name: str,
    settings: Mapping[str, Any],
    slides: pd.DataFrame,
    crops: pd.DataFrame,
    levels: pd.DataFrame,
    splits: Mapping[str, tuple[pd.DataFrame, ClassMap]],
) -> Info:
    """Return what a store holds.

    Args:
        name: of its folder.
        settings: as its ``zarr.json`` has them.
        slides, crops, levels: its tables.
        splits: name → its table, and which classes it tells apart.
    """
    read = slides[slides["outcome"] != "failed"]
    bad = slides[slides["outcome"] != "ok"]
    sources = read["mpp_source"].value_counts()
    return Info(
        store=name,
        format=int(settings["format"]),
        regions=str(settings["regions"]),
        exact_mpp=bool(settings["exact_mpp"]),
        apply_icc=bool(settings.get("apply_icc", False)),
        outcomes={name: int((slides["outcome"] == name).sum()) for name in OUTCOMES},
        problems=tuple(
            Problem(*row) for row in zip(bad["slide"], bad["outcome"], bad["reason"], strict=True)
        ),
        warnings=int((slides["warning"] != "").sum()),
        duplicates=_duplicates(read),
        patients=int(crops["patient"].nunique()),
        crops=len(crops),
        classes=tuple(
            ClassInfo(label, part["patient"].nunique(), part["slide"].nunique(), len(part))
            for label, part in _by_label(crops)
        ),
        mpp_sources={str(name): int(sources[name]) for name in sorted(sources.index)},
        slide_mpp=_spread(read["mpp"]),
        levels=_levels(settings["levels"], levels, crops),
        splits=tuple(
            count_split(split, table, crops, classes) for split, (table, classes) in splits.items()
        ),
    )


def _duplicates(slides: pd.DataFrame) -> tuple[tuple[SlidePatient, ...], ...]:
    """Return the slides of each file that is there more than once, as far as files are known."""
    if "fingerprint" not in slides:
        return ()
    rows = slides[slides["fingerprint"].notna() & (slides["fingerprint"] != "")]
    rows = rows[rows["fingerprint"].duplicated(keep=False)]
    return tuple(
        tuple(SlidePatient(*row) for row in zip(part["slide"], part["patient"], strict=True))
        for _, part in rows.groupby("fingerprint", sort=False)
    )


def _spread(values: pd.Series[Any]) -> Spread | None:
    if values.empty:
        return None
    return Spread(*(float(values.quantile(share)) for share in (0, 0.25, 0.5, 0.75, 1)))


def _by_label(table: pd.DataFrame) -> list[tuple[str | None, pd.DataFrame]]:
    """Return the rows of each class, by name, and those without a label last."""
    groups: list[tuple[str | None, pd.DataFrame]] = [
        (str(label), part) for label, part in table.groupby("label", sort=True)
    ]
    rest = table[table["label"].isna()]
    return [*groups, (None, rest)] if len(rest) else groups


def _levels(
    names: Iterable[str], levels: pd.DataFrame, crops: pd.DataFrame
) -> tuple[LevelInfo, ...]:
    rows = levels.merge(crops[["crop", "slide"]], on="crop", how="left")
    found = []
    for name in names:
        part = rows[rows["level"] == name]
        true = part.drop_duplicates("slide")["mpp"]
        # a store from before bytes were recorded has no such column
        sizes = part["bytes"].dropna() if "bytes" in part else part["width"].iloc[:0]
        found.append(
            LevelInfo(
                level=name,
                nominal_mpp=nominal_mpp(name),
                crops=len(part),
                height=_spread(part["height"]),
                width=_spread(part["width"]),
                mpp=_spread(true),
                deviation=_spread(true / nominal_mpp(name) - 1),
                pixels=int((part["height"] * part["width"]).sum()),
                bytes=int(sizes.sum()),
                unrecorded=len(part) - len(sizes),
            )
        )
    return tuple(found)
