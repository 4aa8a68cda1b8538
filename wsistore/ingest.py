"""One slide, from its file to its group in the store. Runs in a worker process."""

from __future__ import annotations

import hashlib
import math
import traceback
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import zarr

from wsistore import layout, staging
from wsistore.annotations.find import AnnotationSource
from wsistore.annotations.regions import AnnotationSettings, cover_of, find_annotated
from wsistore.crops import write_crop
from wsistore.errors import SlideError, StoreError
from wsistore.files import fingerprint, slide_files
from wsistore.index import read_record, record_to_json
from wsistore.labels import Label
from wsistore.plan import open_planned
from wsistore.readers import AUTO, Reader
from wsistore.records import CropRow, LevelRow, SlideRecord, SlideRow
from wsistore.regions import find_regions
from wsistore.storage import Place, Root, root
from wsistore.tissue import TissueSettings
from wsistore.writer import write_bytes


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


@dataclass(frozen=True)
class SlideTask:
    """One slide to be stored.

    Attributes:
        path: the slide's file.
        label: what the labels table says of it.
        mpp: µm per level-0 pixel from ``--mpp``, used where the labels table gives none.
        annotations: where its annotation file is, if regions are taken from one.
        reader: the reader's name, or ``"auto"``.
    """

    path: Path
    label: Label
    mpp: float | None = None
    annotations: AnnotationSource = field(default_factory=AnnotationSource)
    reader: str = AUTO

    @property
    def given_mpp(self) -> float | None:
        """µm per level-0 pixel as the user gives it, or None."""
        return self.label.mpp if self.label.mpp is not None else self.mpp

    @property
    def slide(self) -> str:
        """The slide's id."""
        return layout.slide_id(self.path)

    def row(self, outcome: str, reason: str = "") -> SlideRow:
        """Return the slide's row with what is known before it is opened."""
        return SlideRow(
            slide=self.slide,
            outcome=outcome,
            reason=reason,
            file=self.path.name,
            patient=self.label.patient or self.slide,
            label=self.label.label,
        )


def ingest(
    task: SlideTask, store: Place, settings: BuildSettings, overwrite: bool = False
) -> SlideRecord:
    """Store one slide and return its record; a slide that cannot be used gives a failed one.

    The slide is written below ``.building/`` and renamed into ``slides/`` when whole, so that a
    crash at any moment leaves either all of it or nothing. With ``overwrite`` it takes the place
    of the stored one, which stays as it is if the new one fails. Behind a URL see
    `wsistore.upload.publish`.
    """
    place = root(store) / layout.SLIDES / task.slide
    try:
        with staging.aside(store, task.slide) as folder:
            record = _write(task, folder, settings)
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


def _stored_meanwhile(record: SlideRecord, place: Root) -> SlideRecord:
    """Return the record of a slide that another build has stored since this one looked.

    Raises:
        SlideError: it is not the same slide.
    """
    stored = read_record(place)
    if stored != record:
        raise SlideError(
            f"another build stored {stored.slide.file} under the same name; "
            "rename one of them, or replace it with --overwrite"
        )
    return stored


def _write(task: SlideTask, group: Path, settings: BuildSettings) -> SlideRecord:
    zarr.create_group(store=str(group))
    reader, plan = open_planned(
        task.path,
        settings.levels,
        task.given_mpp,
        settings.exact_mpp,
        task.reader,
        settings.apply_icc,
    )
    with reader:
        levels = plan.levels
        coarsest = math.ceil(levels[-1].factor)
        if settings.regions == "annotations":
            found = find_annotated(
                reader, task.path, plan.mpp, coarsest, task.annotations,
                settings.annotations, settings.tissue.mpp,
            )  # fmt: skip
        else:
            found = find_regions(reader, plan.mpp, coarsest, settings.regions, settings.tissue)
        # what was never scanned gets the colour of what was scanned and is empty
        reader.fill = _rgb(found.glass)
        row = replace(
            task.row("ok" if found.regions else "empty"),
            reason="" if found.regions else found.none,
            bytes=sum(file.stat().st_size for file in slide_files(task.path)),
            fingerprint=fingerprint(task.path),
            reader=plan.reader,
            vendor=plan.vendor,
            width=plan.width,
            height=plan.height,
            mpp=plan.mpp,
            mpp_source=plan.mpp_source,
            objective_power=plan.objective_power,
            crops=len(found.regions),
            glass=found.glass,
            icc=_keep_icc(reader, group),
            warning="; ".join((*plan.warnings, *found.notes)),
            annotations=found.annotations,
            annotation_offset=task.annotations.offset_text if found.annotations else "",
        )
        crops: list[CropRow] = []
        rows: list[LevelRow] = []
        for number, region in enumerate(found.regions):
            name = layout.crop_id(task.slide, number)
            box = region.box
            if min(levels[-1].size(box.width, box.height)) < 1:
                raise SlideError(
                    f"a region of {box.width} × {box.height} pixels has no whole pixel at "
                    f"{levels[-1].name}; leave it out of --levels"
                )
            rows += write_crop(
                reader, group / str(number), name, box, plan.mpp, levels,
                cover_of(region, found.glass, settings.annotations),
            )  # fmt: skip
            crops.append(
                CropRow(
                    name, task.slide, row.patient, region.label or row.label,
                    **asdict(box), mpp=plan.mpp, tissue_mm2=region.tissue_mm2,
                )
            )  # fmt: skip
    record = SlideRecord(row, tuple(crops), tuple(rows))
    zarr.open_group(store=str(group), mode="r+").attrs["wsistore"] = record_to_json(record)
    return record


def _keep_icc(reader: Reader, group: Path) -> str:
    """Store the slide's ICC profile beside its crops and return its SHA-256, empty without one."""
    icc = reader.properties.icc
    if icc is None:
        return ""
    write_bytes(group / layout.ICC, icc)
    return hashlib.sha256(icc).hexdigest()


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
