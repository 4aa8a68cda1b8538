"""Other patients and labels for slides that are stored: records are rewritten, no slide is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wsistore.errors import StoreError, UsageError, advice
from wsistore.files import parse_json
from wsistore.slides import Label, Labels, StoredSlide, disagreement, match_labels
from wsistore.storage import METADATA, LocalRoot, StoreLike, StoreRoot, layout, open_root
from wsistore.tables import CropRow, SlideRecord, read_record, record_to_json, update_index


class UnknownClassError(ValueError):
    """Nobody can tell whether a crop has a class of its own."""


@dataclass(frozen=True)
class Change:
    """What changes in the record of one slide.

    Attributes:
        slide, file: its id, and its file's name.
        patient, label, site: (old, new), or None where it stays.
        crops: how many crops change.
        kept: how many keep the class that they were drawn with, which is another than the new one.
    """

    slide: str
    file: str
    patient: tuple[str, str] | None
    label: tuple[str, str] | None
    site: tuple[str, str] | None
    crops: int
    kept: int


@dataclass(frozen=True)
class Relabeling:
    """What a labels table changes in a store.

    Attributes:
        changes: in order of slide.
        refused: file → why a slide, or a part of what its row says, cannot be taken over.
        records: all records of the store, as they will be.
    """

    changes: tuple[Change, ...]
    refused: Mapping[str, str]
    records: Mapping[str, SlideRecord]


def stored_labels(records: Mapping[str, SlideRecord], labels: Labels) -> dict[str, Label]:
    """Return id → label of those slides of a store that a row names.

    A row with an ``id`` of a stored slide is that slide's; other rows name slides as in a build,
    see `wsistore.slides.labels.match_labels`.

    Raises:
        UsageError: two rows name one slide and disagree, or one row names two slides.
    """
    by_id: dict[str, Label] = {}
    for label in labels.values():
        if label.id in records and by_id.setdefault(label.id, label) != label:
            raise UsageError(
                f"--labels {labels.path}: {disagreement(label.id, by_id[label.id], label)}"
            )
    others = {name: label for name, label in labels.items() if label.id not in by_id}
    rest = [StoredSlide.of(slide, r.slide.file) for slide, r in records.items()]
    rest = [slide for slide in rest if slide.slide not in by_id]
    found = zip(rest, match_labels(rest, Labels(labels.path, others)), strict=True)
    return by_id | {slide.slide: label for slide, label in found if label.line is not None}


def plan_relabeling(
    records: Mapping[str, SlideRecord], given: Mapping[str, Label], drawn: bool
) -> Relabeling:
    """Return what would change; slides that ``given`` lacks stay as they are.

    Args:
        records: of all slides of the store, by id.
        given: id → what the labels table says.
        drawn: whether the store's crops were drawn, so that they may have classes of their own.
    """
    changes, refused, after = [], {}, dict(records)
    for slide in sorted(given.keys() & records.keys()):
        old, label = records[slide], given[slide]
        stored = old.slide.mpp
        try:
            new = relabeled(old, label, drawn)
        except UnknownClassError as error:
            refused[old.slide.file] = str(error)
            continue
        if label.mpp is not None and old.slide.outcome != "failed" and label.mpp != stored:
            refused[old.slide.file] = (
                f"it is stored at {stored:g} µm/px and the table says {label.mpp:g}: its levels "
                "would be others; rebuild it with --overwrite"
            )
        after[slide] = new
        if _differs(old, new):
            changes.append(_change(old, new))
    return Relabeling(tuple(changes), refused, after)


def relabeled(record: SlideRecord, label: Label, drawn: bool) -> SlideRecord:
    """Return a slide's record with patient, label and site of a row, as a build would write it.

    A crop that was drawn with a class keeps it. Where the table has no sites, the slide keeps its.

    Raises:
        UnknownClassError: an early store does not say whether a crop has a class of its own.
    """
    row = replace(
        record.slide,
        patient=label.patient or record.slide.slide,
        label=label.label,
        site=record.slide.site if label.site is None else label.site,
    )
    crops = []
    for crop in record.crops:
        own = _own_class(crop, record.slide.label, drawn)
        if own is None and row.label != record.slide.label:
            raise UnknownClassError(
                f"crop {crop.crop!r} is labeled {crop.label!r} as its slide is, and its record is "
                "from before classes of regions were kept: whether the crop was drawn with that "
                "class is not known; rebuild it with --overwrite"
            )
        named = crop.label if own is None else own or row.label
        crops.append(replace(crop, patient=row.patient, label=named, annotation_class=own))
    return replace(record, slide=row, crops=tuple(crops))


def _own_class(crop: CropRow, label: str, drawn: bool) -> str | None:
    """Return the class that a crop was drawn with, empty without one; None where nobody can tell.

    Args:
        crop: as it is stored.
        label: its slide's, as it is stored.
        drawn: whether the store's crops were drawn.
    """
    if crop.annotation_class is not None:
        return crop.annotation_class
    if not drawn or not crop.label:
        return ""
    return crop.label if crop.label != label else None


def _differs(old: SlideRecord, new: SlideRecord) -> bool:
    return _names(old) != _names(new)


def _names(record: SlideRecord) -> list[tuple[str, ...]]:
    slide = record.slide
    crops = [(crop.patient, crop.label) for crop in record.crops]
    return [(slide.patient, slide.label, slide.site), *crops]


def _change(old: SlideRecord, new: SlideRecord) -> Change:
    pairs = list(zip(old.crops, new.crops, strict=True))
    patient, label, site = (
        (before, after) if before != after else None
        for before, after in (
            (old.slide.patient, new.slide.patient), (old.slide.label, new.slide.label),
            (old.slide.site, new.slide.site),
        )
    )  # fmt: skip
    return Change(
        old.slide.slide,
        old.slide.file,
        patient,
        label,
        site,
        crops=sum((a.patient, a.label) != (b.patient, b.label) for a, b in pairs),
        kept=sum(b.label != new.slide.label for _, b in pairs) if label else 0,
    )


def apply_relabeling(
    store: StoreLike,
    relabeling: Relabeling,
    given: Mapping[str, Label],
    drawn: bool,
    lock: bool = True,
) -> None:
    """Write what changes: each slide's record in one step, the tables last.

    Killed in between, some slides have the new names in their groups and the tables the old ones:
    the same command finishes the job, and the next build writes the tables too.

    Args:
        store: the store.
        relabeling: made from the store's records.
        given: as `plan_relabeling` had it.
        drawn: as `plan_relabeling` had it.
        lock: False where the user has said that no build runs.

    Raises:
        StoreError: a record or a table cannot be written, or a slide has gone since.
    """
    home = open_root(store)
    if isinstance(home, LocalRoot):
        (home / layout.STAGING).folder.mkdir(exist_ok=True)
    failed = {}
    for change in relabeling.changes:
        record = relabeling.records[change.slide]
        if record.slide.outcome == "failed":
            failed[change.slide] = record  # it has no group
            continue
        group = home / layout.SLIDES / change.slide
        # read again: a build may have stored the slide anew
        _write(group, relabeled(read_record(group), given[change.slide], drawn))
    update_index(home, failed, lock)


def _write(group: StoreRoot, record: SlideRecord) -> None:
    path = group / METADATA
    try:
        metadata: dict[str, Any] = parse_json(path.read_bytes())
        metadata["attributes"]["wsistore"] = record_to_json(record)
        path.write_text(json.dumps(metadata, indent=2))
    except OSError as error:
        raise StoreError(
            f"{path}: {error.strerror or error}; what was written before is whole: "
            f"{advice(error)} and run the same command again"
        ) from error
