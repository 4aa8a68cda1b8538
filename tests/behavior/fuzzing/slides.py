"""Small slides of every format that can be written here, and what a build stores of a mutant."""

from __future__ import annotations

import hashlib
import io
import random
import re
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from tests.behavior.fuzzing.case import Change, Target
from tests.wsistore.readers.dicom_slide import write_dicom
from tools.tiff_files import image, jpeg, jpeg2000
from tools.tiff_kinds_read import read_kinds
from wsistore.annotations.source import AnnotationSource
from wsistore.build.builder import prepare
from wsistore.build.ingest import BuildSettings, SlideTask, ingest
from wsistore.errors import SlideError
from wsistore.regions.tissue import TissueSettings
from wsistore.slides.labels import Label
from wsistore.synthetic.tiff import Scan, write_pyramid

LEVELS = ("10x", "2.5x")
WHOLE = BuildSettings(LEVELS, regions="whole")
TISSUE = BuildSettings(LEVELS, tissue=TissueSettings(min_area_mm2=0.001))
DRAWN = BuildSettings(LEVELS, regions="annotations")
_UID = "1.2.826.0.1.3680043.8.498."
_STAMP = re.compile(rb"urn:uuid:[0-9a-f-]{36}")


def stored(
    slide: Path, folder: Path, settings: BuildSettings = WHOLE, mpp: float | None = 0.5
) -> str:
    """Store a slide as a build does, and return a digest of its crops: places, scales, pixels.

    Raises:
        SlideError: it fails, with the reason that ``slides.csv`` gives.
    """
    store = folder / "stored"
    task = SlideTask(slide, Label(), mpp, AnnotationSource(), slide="s")
    record = ingest(task, store, prepare(store, settings), lock=False)
    row = record.slide
    if row.outcome == "failed":
        raise SlideError(row.reason)
    digest = hashlib.sha256(f"{row.outcome} {record.crops}".encode())
    # the last bytes of a shard are a checksum of its index, which holds the places of all chunks
    for file in sorted((store / "slides" / "s").rglob("c/**/*")):
        if file.is_file():
            digest.update(f"{file.relative_to(store)}".encode() + file.read_bytes())
    return f"{row.outcome} {digest.hexdigest()}"


def _pixels(x: int, y: int, width: int, height: int) -> np.ndarray:
    """Glass with one piece of tissue, any part of it."""
    rows, columns = np.mgrid[y : y + height, x : x + width]
    grain = (rows * 7919 + columns * 104729) % 61
    inside = (rows - 260) ** 2 + (columns - 240) ** 2 < 180**2
    tissue = np.stack([190 + grain % 31, 100 + grain, 160 + grain // 2], axis=-1)
    return np.where(inside[..., np.newaxis], tissue, 242).astype(np.uint8)


def _write_tiffs(folder: Path) -> None:
    for number, kind in enumerate(read_kinds()):
        place = folder / f"{number:02} {re.sub('[^A-Za-z0-9.]+', ' ', kind.name)}"
        place.mkdir(parents=True)
        kind.write(place / f"s{kind.suffix}")


def _write_pyramids(folder: Path) -> None:
    for name in ("aperio", "ome"):
        (folder / name).mkdir(parents=True)
    write_pyramid(folder / "aperio" / "s.svs", _pixels, Scan(512, 0.5, 20))
    with tifffile.TiffWriter(folder / "ome" / "s.tif", ome=True) as tiff:
        level = _pixels(0, 0, 512, 512)
        options = {"tile": (64, 64), "photometric": "rgb", "compression": "adobe_deflate"}
        size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "axes": "YXS"}
        tiff.write(level, subifds=2, metadata=size, **options)
        for step in (2, 4):
            tiff.write(level[::step, ::step], subfiletype=1, metadata=None, **options)
    file = folder / "ome" / "s.tif"
    # tifffile stamps each file with a random number
    file.write_bytes(_STAMP.sub(b"urn:uuid:" + b"0" * 36, file.read_bytes()))


def _write_pictures(folder: Path) -> None:
    shown = Image.fromarray(image())
    for name, suffix, options in (
        ("png", "png", {}), ("png gray", "png", {}), ("jpeg", "jpg", {"quality": 90}),
        ("jpeg progressive", "jpg", {"progressive": True}), ("webp", "webp", {"quality": 80}),
        ("webp lossless", "webp", {"lossless": True}),
    ):  # fmt: skip
        (folder / name).mkdir(parents=True)
        (shown.convert("L") if "gray" in name else shown).save(
            folder / name / f"s.{suffix}", **options
        )


def _write_dicom(folder: Path) -> None:
    def same_numbers(ds: Dataset) -> None:
        """Let nothing be random."""
        known: dict[str, str] = {}

        def each(_: Dataset, element: object) -> None:
            value = str(element.value)  # type: ignore[attr-defined]
            if element.VR == "UI" and value.startswith(_UID):  # type: ignore[attr-defined]
                element.value = known.setdefault(value, f"{_UID}{len(known) + 1}")  # type: ignore[attr-defined]

        ds.walk(each)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID

    def jfif(tile: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(tile).save(buffer, "JPEG", quality=90)
        return buffer.getvalue()

    plain = jpeg2000(transform=False)
    kinds = {
        "uncompressed": {},
        "frames left out": {"without": ((0, 64),)},
        "jpeg": {"encode": jfif, "syntax": JPEGBaseline8Bit, "photometric": "YBR_FULL_422"},
        "jpeg without jfif": {
            "encode": jpeg(), "syntax": JPEGBaseline8Bit, "photometric": "YBR_FULL",
        },
        "jpeg 2000": {"encode": plain, "syntax": JPEG2000Lossless},
    }  # fmt: skip
    for name, options in kinds.items():
        (folder / name / "s").mkdir(parents=True)
        write_dicom(folder / name / "s" / "1.dcm", image(), 64, change=same_numbers, **options)  # type: ignore[arg-type]


def _files(original: Path) -> list[Path]:
    return sorted(path for path in original.rglob("*") if path.is_file())


def _answer_tiff(folder: Path, _: random.Random) -> str:
    (slide,) = folder.glob("s.*")
    # Hamamatsu's says its own scale
    return stored(slide, folder, WHOLE, None if slide.suffix == ".ndpi" else 0.5)


def _answer_pyramid(folder: Path, rng: random.Random) -> str:
    (slide,) = folder.glob("s.*")
    return stored(slide, folder, TISSUE, None)


def _answer_picture(folder: Path, _: random.Random) -> str:
    (slide,) = folder.glob("s.*")
    return stored(slide, folder)


def _answer_dicom(folder: Path, _: random.Random) -> str:
    return stored(folder / "s", folder, WHOLE, None)


def _tiff_checksum(original: Path, file: Path, change: Change) -> bool:
    """Tell a change of streams of deflate or LZMA, which have checksums, and of nothing else."""
    if change.overwritten is None or not ("deflate" in original.name or "LZMA" in original.name):
        return False
    first, last = change.overwritten
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        return any(
            start <= first and last < start + count
            for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        )


def _png_checksum(original: Path, file: Path, change: Change) -> bool:
    """Tell a change of a PNG: each of its chunks has a checksum."""
    return file.suffix == ".png"


def change_dicom(data: bytes, rng: random.Random) -> Change:
    """Leave out an element, or give it another value."""
    ds = dcmread(io.BytesIO(data), force=True)
    elements: list[tuple[Dataset, object]] = []
    ds.walk(lambda parent, element: elements.append((parent, element.tag)))
    parent, tag = rng.choice(elements)
    name = parent[tag].name
    if rng.random() < 0.5:
        del parent[tag]
        what = f"{name} left out"
    else:
        new = rng.choice(("", 0, 1, 65535, "0", "-1", "1e999", "x", [0, 0], ["1", "2", "3"]))
        parent[tag].value = new
        what = f"{name} is {new!r}"
    written = io.BytesIO()
    ds.save_as(written, enforce_file_format=False)
    return Change(what, written.getvalue())


def slide_targets() -> list[Target]:
    """Return what is tried of slides."""
    return [
        Target("TIFF", _write_tiffs, _files, _answer_tiff, _tiff_checksum, 4, True),
        Target("pyramid", _write_pyramids, _files, _answer_pyramid, share=2, opens_slides=True),
        Target("PNG, JPEG, WebP", _write_pictures, _files, _answer_picture, _png_checksum, 2, True),
        Target("DICOM", _write_dicom, _files, _answer_dicom, share=3, opens_slides=True),
    ]
