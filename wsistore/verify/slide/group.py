"""One slide's group, whole; runs in a worker process."""

from __future__ import annotations

import hashlib
from pathlib import Path

from wsistore.levels import Level
from wsistore.storage import layout
from wsistore.tables import SlideRecord, record_from_json
from wsistore.verify.findings import Check, rebuild_hint, replace_hint
from wsistore.verify.slide.arrays import check_level
from wsistore.verify.slide.expected import (
    Expected,
    box_of,
    image_violations,
    level_row,
    record_violations,
)
from wsistore.verify.slide.folder import SlideFolder
from wsistore.verify.slide.reference_slide import ReferenceSlide
from wsistore.verify.slide.shards import DamageError, decode


def check_slide(
    store: Path, slide: str, law: Expected, source: ReferenceSlide | None = None
) -> Check:
    """Read all of a slide's group and hold it against the law.

    Args:
        store: the store's folder.
        slide: the slide's id, a folder in ``slides/``.
        law: of the store.
        source: the slide itself and what to compare with it, if that is asked for.
    """
    check = Check(slide)
    folder = SlideFolder(store, check)
    record = _record(folder, check)
    if record is None:
        return check  # without its rows nothing says what should be here
    check.record = record
    do = rebuild_hint(record.slide.file)
    for sentence in record_violations(record, slide, law):
        check.fault(f"{folder.name}/zarr.json", sentence, do)
    if check.faults:
        return check  # nor do rows that contradict each other
    levels = law.factors(record.slide.mpp)
    whole = [
        good
        for number in range(len(record.crops))
        for good in _crop(folder, number, record, levels, check)
    ]
    _profile(folder, record, check)
    folder.unexpected_files()
    if source is not None:
        from wsistore.verify.slide.against_slide import (
            compare,  # here: it finds crops anew, with a compiler
        )

        compare(store, record, levels, whole, source, check)
    return check


def _record(folder: SlideFolder, check: Check) -> SlideRecord | None:
    metadata = folder.metadata("zarr.json", "slide", replace_hint(check.slide))
    return None if metadata is None else record_from_json(metadata["attributes"]["wsistore"])


def _crop(
    folder: SlideFolder, number: int, record: SlideRecord, levels: tuple[Level, ...], check: Check
) -> list[bool]:
    """Check a crop and tell which of its levels are whole."""
    crop = record.crops[number]
    do = rebuild_hint(record.slide.file)
    part = f"{number}/zarr.json"
    metadata = folder.metadata(part, "image", do)
    if metadata is not None:
        ome = metadata["attributes"]["ome"]
        for sentence in image_violations(ome, box_of(crop), record.slide.mpp, levels):
            check.fault(f"{folder.name}/{part}", sentence, do)
    whole = []
    for place, level in enumerate(levels):
        width, height = level.size(crop.width, crop.height)
        row = level_row(record, number, place, len(levels))
        whole.append(check_level(folder, f"{number}/{level.name}", (height, width), row, check, do))
    check.crops += 1
    return whole


def _profile(folder: SlideFolder, record: SlideRecord, check: Check) -> None:
    """Check that the colour profile is there, and is the one recorded."""
    do = rebuild_hint(record.slide.file)
    if not record.slide.icc:
        return  # one that is there all the same is a stranger
    metadata = folder.metadata(f"{layout.ICC}/zarr.json", "icc", do)
    data = folder.read(f"{layout.ICC}/c/0", do)
    if metadata is None or data is None:
        return
    file = f"{folder.name}/{layout.ICC}/c/0"
    try:
        profile = decode(data, metadata["shape"][0])
    except DamageError as error:
        check.fault(file, f"its one chunk {error}", do)
        return
    if hashlib.sha256(profile).hexdigest() != record.slide.icc:
        check.fault(file, "is not the colour profile whose SHA-256 the slide's record has", do)
