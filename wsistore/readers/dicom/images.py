"""Which images of a DICOM series are the slide and its pyramid: more than one slide is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from wsistore.errors import SlideImageError
from wsistore.levels import is_reduced_size

_OTHER = frozenset({"LABEL", "OVERVIEW", "THUMBNAIL"})
"""Third values of ImageType that are none of the slide's pyramid."""

Size = tuple[int, int]


def require_one_pyramid(sizes: Sequence[Size]) -> None:
    """Refuse images that are not one image and reduced copies of it.

    Args:
        sizes: (width, height) of each image.

    Raises:
        SlideImageError: more than one could be the slide.
    """
    if not sizes:
        return
    base = max(sizes, key=lambda size: size[0] * size[1])
    others = [size for size in sizes if not is_reduced_size(size, base)]
    if len(others) > 1:
        shown = ", ".join(f"{width} × {height} pixels" for width, height in others)
        raise SlideImageError(
            f"more than one of its images could be the slide ({shown}); "
            "put the files of the one that is meant into a folder of their own"
        )


def volume_sizes(files: Iterable[Path]) -> list[Size]:
    """Return (width, height) of each image of a series but label, overview and thumbnail.

    Parts of a concatenation are one image.
    """
    # imported where it is needed: it is an extra
    import pydicom

    tags = [
        "ImageType", "TotalPixelMatrixColumns", "TotalPixelMatrixRows", "SOPInstanceUID",
        "SOPInstanceUIDOfConcatenationSource",
    ]  # fmt: skip
    found: dict[str, Size] = {}
    for file in files:
        head = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)
        width, height = head.get("TotalPixelMatrixColumns"), head.get("TotalPixelMatrixRows")
        if width is None or height is None or _OTHER & set(head.get("ImageType") or ()):
            continue
        source = head.get("SOPInstanceUIDOfConcatenationSource") or head.get("SOPInstanceUID")
        found[str(source)] = int(width), int(height)
    return list(found.values())
