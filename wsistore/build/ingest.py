"""One slide, from its file to its group in the store. Runs in a worker process."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import zarr

from wsistore.build.image import write_crop
from wsistore.build.settings import BuildSettings, SlideTask
from wsistore.build.slide_crops import open_slide_crops
from wsistore.errors import SlideError, StoreError
from wsistore.formatting import print_traceback, without_folders
from wsistore.levels import downsample
from wsistore.readers import Reader
from wsistore.slides import another_file
from wsistore.storage import StoreLike, StoreRoot, layout, open_root, staging
from wsistore.store import transpose_and_sum, write_bytes
from wsistore.tables import LevelRow, SlideRecord, read_record, record_to_json


def ingest(
    task: SlideTask,
    store: StoreLike,
    settings: BuildSettings,
    overwrite: bool = False,
    lock: bool = True,
) -> SlideRecord:
    """Store one slide and return its record; a slide that cannot be used gives a failed one.

    The slide is written below ``.building/`` and renamed into ``slides/`` when whole, so that a
    crash at any moment leaves either all of it or nothing. With ``overwrite`` it takes the place
    of the stored one, which stays as it is if the new one fails. Behind a URL see
    `wsistore.storage.upload.publish`. Without ``lock`` nothing keeps another build from clearing
    away what is being written.
    """
    place = open_root(store) / layout.SLIDES / task.slide
    try:
        with staging.aside(store, task.slide, lock) as folder:
            record = _write(task, folder, settings)
            _refuse_other(task, place)
            try:
                staging.publish(folder, place, overwrite)
            except FileExistsError:
                record = _stored_meanwhile(record, place)
    except (SlideError, StoreError, OSError) as error:
        return SlideRecord(task.row("failed", without_folders(str(error), str(store))))
    # whatever a decoder or codec does with one damaged slide, the others go on
    except Exception as error:
        print_traceback()
        said = without_folders(f"unexpected {type(error).__name__}: {error}", str(store))
        return SlideRecord(task.row("failed", said))
    return record


def load_compiled() -> None:
    """Load the compiled code that `ingest` runs; compile it, where nothing has before.

    An exception in the midst of that would be lost in a callback of LLVM, Ctrl-C's too.
    """
    pixel = np.zeros((1, 1, 3), np.uint8)
    transpose_and_sum(
        downsample(pixel, 1), np.zeros((3, 1, 1), np.uint8), 0, np.zeros((3, 2), np.int64)
    )


def _stored_meanwhile(record: SlideRecord, place: StoreRoot) -> SlideRecord:
    """Return the record of a slide that another build has stored since this one looked.

    Raises:
        SlideError: it is not the same slide.
    """
    stored = read_record(place)
    if stored != record:
        raise SlideError(f"meanwhile, by another build: {another_file(stored.slide)}")
    return stored


def _refuse_other(task: SlideTask, place: StoreRoot) -> None:
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
    with open_slide_crops(task, settings) as found:
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
