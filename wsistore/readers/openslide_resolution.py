"""What OpenSlide's properties state of a slide's pixel size and its objective."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wsistore.readers.pixel_size import ObjectivePower, PixelSize
from wsistore.readers.tiff.pages import slide_pages
from wsistore.readers.tiff.reader import tiff_tags
from wsistore.readers.tiff.resolution import stated_in_tiff

READ_AS_TIFF = ("aperio", "generic-tiff")
"""Vendors of whose files OpenSlide reads less than the TIFF says: OME-XML, ImageJ's unit, units."""

_SPACING = "dicom.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing"
_MIRAX = "mirax.LAYER_0_LEVEL_0_SECTION.MICROMETER_PER_PIXEL"

_SIZES = (
    (f"{_MIRAX}_X", f"{_MIRAX}_Y", "µm"),
    # the rows' distance comes first, which is along y
    (f"{_SPACING}[1]", f"{_SPACING}[0]", "mm"),
    ("ventana.ScanRes", "ventana.ScanRes", "µm"),
    ("zeiss.Scaling.Items.X.Value", "zeiss.Scaling.Items.Y.Value", "m"),
    ("philips.DICOM_PIXEL_SPACING", "philips.DICOM_PIXEL_SPACING", "mm"),
)
"""Vendors' own properties, in x and y, that OpenSlide takes its µm per pixel from."""

_POWERS = (
    "argos.ObjectiveMagnification",
    "dicom.OpticalPathSequence[0].ObjectiveLensPower",
    "hamamatsu.SourceLens",
    "leica.objective",
    "mirax.GENERAL.OBJECTIVE_MAGNIFICATION",
    "sakura.NominalLensMagnification",
    "trestle.Objective Power",
    "ventana.Magnification",
)
"""Vendors' own properties that OpenSlide takes its objective power from."""


def stated_by_openslide(
    found: Mapping[str, str], path: Path
) -> tuple[tuple[PixelSize, ...], ObjectivePower | None]:
    """Return pixel sizes, the one to trust first, and the objective's power, or None.

    Where OpenSlide gives no value although the vendor's own property is there, OpenSlide could not
    read it: it is read here, or stands as unreadable.

    Args:
        found: OpenSlide's properties.
        path: the file.

    Raises:
        SlideError: the tags of a TIFF make no sense.
    """
    if found.get("openslide.vendor") in READ_AS_TIFF:
        with tiff_tags(path) as file:
            return stated_in_tiff(file, slide_pages(file).levels[0])
    size = PixelSize.read(
        "openslide.mpp", found.get("openslide.mpp-x"), found.get("openslide.mpp-y")
    )
    power = ObjectivePower.read("openslide.objective-power", found.get("openslide.objective-power"))
    for along_x, along_y, unit in _SIZES:
        size = size or PixelSize.read(_plain(along_x), found.get(along_x), found.get(along_y), unit)
    for name in _POWERS:
        power = power or ObjectivePower.read(name, found.get(name))
    return (size,) if size else (), power


def _plain(name: str) -> str:
    """Return the name of a DICOM attribute without the path to it."""
    return name.rpartition(".")[2].removesuffix("[1]") if name.startswith("dicom.") else name
