"""One slide, from its file to its group in the store. Runs in a worker process."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from wsistore import layout, staging
from wsistore.annotations.find import AnnotationSource
from wsistore.annotations.regions import AnnotationSettings
from wsistore.crops import write_crop
from wsistore.errors import SlideError, StoreError
from wsistore.found import open_found
from wsistore.index import read_record, record_to_json
from wsistore.labels import Label
from wsistore.lanczos import downsample
from wsistore.paths import nfc
from wsistore.readers import AUTO, Reader
from wsistore.records import LevelRow, SlideRecord, SlideRow
from wsistore.storage import Place, Root, root
from wsistore.tissue import METHODS, TissueSettings
from wsistore.writer import take_rows, write_bytes


@dataclass(frozen=True)
class BuildSettings:
    """What decides the pixels of a store; recorded in it, and equal for all its slides.

    Attributes:
        levels: canonical names, finest first.
        exact_mpp: fractional factors that give exactly the nominal scale.
        regions: ``"tissue"``, ``"whole"`` or ``"annotations"``.
        tissue: how tissue is found; the glass is looked for at its scale whatever the regions.
        annotations: how annotations become crops.
        apply_icc: colours are converted to sRGB by each slide's ICC profile.
    """

    levels: tuple[str, ...]
    exact_mpp: bool = False
    regions: str = "tissue"
    tissue: TissueSettings = field(default_factory=TissueSettings)
    annotations: AnnotationSettings = field(default_factory=AnnotationSettings)
    apply_icc: bool = False

    def record(self) -> dict[str, object]:
        """Return the settings as the store's attributes hold them."""
        record: dict[str, object] = {
            "levels": list(self.levels),
            "exact_mpp": self.exact_mpp,
            "regions": self.regions,
            "tissue": self.tissue.record(),
            "apply_icc": self.apply_icc,
        }
        if self.regions == "annotations":
            record["annotations"] = self.annotations.record()
        return record

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> BuildSettings:
        """Return the settings that `record` wrote, whatever else a store's attributes hold.

        Raises:
            StoreError: they are not those of this wsistore, so that its crops would be others.
        """
        try:
            tissue = dict(record["tissue"])
            if tissue["method"] not in METHODS:
                known = " or ".join(METHODS)
                raise ValueError(f"tissue was found by {tissue['method']}, not {known}")
            found = cls(
                tuple(record["levels"]),
                record["exact_mpp"],
                record["regions"],
                TissueSettings(**tissue),
                AnnotationSettings(**record.get("annotations", {})),
                record["apply_icc"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"build settings of another wsistore: {error!r}") from error
        return found


@dataclass(frozen=True)
class SlideTask:
    """One slide to be stored.

    Attributes:
        path: the slide's file.
        label: what the labels table says of it.
        mpp: µm per level-0 pixel from ``--mpp``, used where the labels table gives none.
        annotations: where its annotation file is, if regions are taken from one.
        reader: the reader's name, or ``"auto"``.
        slide: its id; by default its name.
    """

    path: Path
    label: Label
    mpp: float | None = None
    annotations: AnnotationSource = field(default_factory=AnnotationSource)
    reader: str = AUTO
    slide: str = ""

    def __post_init__(self) -> None:
        if not self.slide:
            object.__setattr__(self, "slide", layout.slide_id(self.path))

    @property
    def given_mpp(self) -> float | None:
        """µm per level-0 pixel as the user gives it, or None."""
        return self.label.mpp if self.label.mpp is not None else self.mpp

    def row(self, outcome: str, reason: str = "") -> SlideRow:
        """Return the slide's row with what is known before it is opened."""
        return SlideRow(
            slide=self.slide,
            outcome=outcome,
            reason=reason,
            file=nfc(self.path.name),
            patient=self.label.patient or self.slide,
            label=self.label.label,
        )


def ingest(
    task: SlideTask,
    store: Place,
    settings: BuildSettings,
    overwrite: bool = False,
    lock: bool = True,
) -> SlideRecord:
    """Store one slide and return its record; a slide that cannot be used gives a failed one.

    The slide is written below ``.building/`` and renamed into ``slides/`` when whole, so that a
    crash at any moment leaves either all of it or nothing. With ``overwrite`` it takes the place
    of the stored one, which stays as it is if the new one fails. Behind a URL see
    `wsistore.upload.publish`. Without ``lock`` nothing keeps another build from clearing away what
    is being written.
    """
    place = root(store) / layout.SLIDES / task.slide
    try:
        with staging.aside(store, task.slide, lock) as folder:
            record = _write(task, folder, settings)
            _refuse_other(task, place)
            try:
                staging.publish(folder, place, overwrite)
            except FileExistsError:
                record = _stored_meanwhile(record, place)
    except (SlideError, StoreError, OSError) as error:
        return SlideRecord(task.row("failed", str(error)))
    # whatever a decoder or codec does with one damaged slide, the others go on
    except Exception as error:
        traceback.print_exc()
        return SlideRecord(task.row("failed", f"unexpected {type(error).__name__}: {error}"))
    return record


def load_compiled() -> None:
    """Load the compiled code that `ingest` runs; compile it, where nothing has before.

    An exception in the midst of that would be lost in a callback of LLVM, Ctrl-C's too.
    """
    pixel = np.zeros((1, 1, 3), np.uint8)
    take_rows(downsample(pixel, 1), np.zeros((3, 1, 1), np.uint8), 0, np.zeros((3, 2), np.int64))


def _stored_meanwhile(record: SlideRecord, place: Root) -> SlideRecord:
    """Return the record of a slide that another build has stored since this one looked.

    Raises:
        SlideError: it is not the same slide.
    """
    stored = read_record(place)
    if stored != record:
        raise SlideError(f"meanwhile, by another build: {another_file(stored.slide)}")
    return stored


def another_file(row: SlideRow) -> str:
    """Return what to do where another file is stored by a slide's id, so that neither is lost."""
    return (
        f"another file is stored as slide {row.slide!r} ({row.file}, {row.bytes} bytes): if this "
        "is another version of that slide, replace it with --overwrite; if it is another slide, "
        "rename it or choose another --id"
    )


def _refuse_other(task: SlideTask, place: Root) -> None:
    """Refuse to replace a slide of another id: file systems may take ``A`` and ``a`` for one name.

    Raises:
        SlideError: there is one.
    """
    try:
        stored = read_record(place).slide
    except StoreError:
        return  # nothing is there, or nothing that can be read
    if stored.slide != task.slide:
        raise SlideError(
            f"slide {stored.slide!r} ({stored.file}) has the same name on this file system; "
            "rename it or choose another --id"
        )


def _write(task: SlideTask, group: Path, settings: BuildSettings) -> SlideRecord:
    zarr.create_group(store=str(group))
    with open_found(task, settings) as found:
        row = replace(found.row, icc=_keep_icc(found.reader, group))
        rows: list[LevelRow] = []
        for number, crop in enumerate(found.crops):
            rows += write_crop(
                found.reader, group / str(number), crop.crop, found.boxes[number], row.mpp,
                found.levels, found.covers[number],
            )  # fmt: skip
    record = SlideRecord(row, found.crops, tuple(rows))
    zarr.open_group(store=str(group), mode="r+").attrs["wsistore"] = record_to_json(record)
    return record


def _keep_icc(reader: Reader, group: Path) -> str:
    """Store the slide's ICC profile beside its crops and return its SHA-256, empty without one."""
    icc = reader.properties.icc
    if icc is None:
        return ""
    write_bytes(group / layout.ICC, icc)
    return hashlib.sha256(icc).hexdigest()
