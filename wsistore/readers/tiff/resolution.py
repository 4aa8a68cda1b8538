"""What a TIFF states of its pixels' size and its objective: in descriptions, XML and tags."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tifffile import RESUNIT, TiffFile, TiffPage

from wsistore.errors import SlideError
from wsistore.files import parse_xml
from wsistore.formatting import UnitlessError, micrometers_of
from wsistore.readers.pixel_size import ObjectivePower, PixelSize, quoted
from wsistore.readers.tiff import ome_xml

_UNITS = {
    RESUNIT.INCH: "inch", RESUNIT.CENTIMETER: "cm", RESUNIT.MILLIMETER: "mm",
    RESUNIT.MICROMETER: "µm",
}  # fmt: skip
_SOURCE_LENS = 65421
"""Hamamatsu's tag of the objective's power."""


def stated_in_tiff(
    file: TiffFile, page: TiffPage
) -> tuple[tuple[PixelSize, ...], ObjectivePower | None]:
    """Return what a TIFF states of a page.

    Args:
        file: the open file.
        page: level 0 of the slide.

    Returns:
        Pixel sizes, the one to trust first: the vendor's or the format's own words before the tags
        that any TIFF has. And the objective's power, or None.

    An XML that is damaged stands as a size that cannot be read: what it said is not known.
    """
    sizes: list[PixelSize | None] = []
    power: ObjectivePower | None = None
    first = file.pages.first
    try:
        if page.is_svs or first.is_svs:
            fields = dict(_aperio((page if page.is_svs else first).description))
            sizes.append(PixelSize.read("MPP", fields.get("MPP")))
            power = ObjectivePower.read("AppMag", fields.get("AppMag"))
        elif first.is_ome:
            where = page.index, page.imagewidth, page.imagelength
            size, power = ome_xml.stated(first.description, *where)
            sizes.append(size)
        elif first.is_philips:
            sizes.append(_philips(first.description))
        elif first.is_qpi:
            power = _qptiff(first.description)
        elif first.is_ndpi:
            power = ObjectivePower.read("SourceLens", page.tags.valueof(_SOURCE_LENS))
    except SlideError as error:
        sizes.append(PixelSize(str(error), None, None))
    unit = dict(_lines(first.description)).get("unit") if first.is_imagej else None
    if unit:
        # ImageJ's own unit comes before the tag's, which it leaves out or sets to none
        sizes.append(_per_unit(page, unit))
    if not unit or page.tags.valueof("ResolutionUnit", default=RESUNIT.NONE) != RESUNIT.NONE:
        sizes.append(_per_unit(page, None))
    return tuple(size for size in sizes if size is not None), power


def _aperio(description: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of ``Aperio …|AppMag = 20|MPP = 0.4990``, as written."""
    for part in description.split("|")[1:]:
        key, sign, value = part.partition("=")
        if sign:
            yield key.strip(), value.strip(" \t\r\n\0")


def _lines(description: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of an ImageJ description, a line each."""
    for line in description.splitlines():
        key, sign, value = line.partition("=")
        if sign:
            yield key.strip(), value.strip()


def _philips(description: str) -> PixelSize | None:
    """Return DICOM_PIXEL_SPACING, the heights of rows and the widths of columns in mm."""
    for attribute in parse_xml(description.encode(), "its Philips XML").iter("Attribute"):
        if attribute.get("Name") == "DICOM_PIXEL_SPACING" and attribute.text:
            spacing = [part.strip('"') for part in attribute.text.split()]
            y, x = spacing if len(spacing) == 2 else (attribute.text, attribute.text)
            return PixelSize.read("DICOM_PIXEL_SPACING", x, y, "mm")
    return None


def _qptiff(description: str) -> ObjectivePower | None:
    root = parse_xml(description.encode(), "its PerkinElmer XML")
    return ObjectivePower.read("Objective", root.findtext(".//Objective"))


def _per_unit(page: TiffPage, unit: str | None) -> PixelSize | None:
    """Return what the tags XResolution and YResolution say, pixels per unit.

    Args:
        page: level 0.
        unit: as a description names it; None for ResolutionUnit's, which is inch where it is
            absent: TIFF's default.
    """
    x, y = page.tags.valueof("XResolution"), page.tags.valueof("YResolution")
    if x is None and y is None:
        return None
    code = page.tags.valueof("ResolutionUnit", default=RESUNIT.INCH)
    if unit is None and code == RESUNIT.NONE:
        if x == y == (1, 1):
            # what libraries fill in
            return None
        return PixelSize(f"XResolution = {_shown(x)} without a unit", None, None, unitless=True)
    name = quoted(unit) if unit else _UNITS.get(code, f"ResolutionUnit {int(code)}")
    text = f"XResolution = {_shown(x)} per {name}"
    if x != y:
        text += f", YResolution = {_shown(y)}"
    try:
        um = Fraction(micrometers_of(name))
        # as ratios: the nearest floating point number, whatever the unit
        width, height = (float(um / Fraction(*value)) for value in (x, y))
    except UnitlessError:
        return PixelSize(text, None, None, unitless=True)
    except (TypeError, ValueError, ArithmeticError):
        return PixelSize(text, None, None)
    return PixelSize.of(text, width, height, printing=unit is None)


def _shown(value: object) -> str:
    """Return a tag's ratio as people write it: 20000, or 1/0 as it is."""
    if isinstance(value, tuple) and len(value) == 2 and value[1]:
        return f"{value[0] / value[1]:g}"
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)
