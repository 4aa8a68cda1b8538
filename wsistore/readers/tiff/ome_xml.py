"""The pixel size and the objective that OME-XML gives to one page of an OME-TIFF."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from wsistore.files import parse_xml
from wsistore.readers.pixel_size import ObjectivePower, PixelSize


def stated(
    xml: str, page: int, width: int, height: int
) -> tuple[PixelSize | None, ObjectivePower | None]:
    """Return the pixel size and the objective of the image that a page of the file belongs to.

    Args:
        xml: the document.
        page: the page's index in the file.
        width, height: of the page, in pixels; decide where the document lists no pages.

    Returns:
        Each None where the document says nothing; a size that cannot be read where it speaks of
        images of other sizes alone.

    Raises:
        SlideError: it is no XML.
    """
    root = parse_xml(xml.encode(), "its OME-XML")
    images = [image for image in root.iter() if _name(image) == "Image"]
    alike = [image for image in images if _size(image) == (width, height)]
    listed = [image for image in alike if any(page in pages for pages in _pages(image))]
    if alike:
        image = (listed or alike)[0]
        return _pixel_size(image), _objective(root, image)
    if any(_pixel_size(image) for image in images):
        return PixelSize(f"OME-XML without an image of {width} × {height}", None, None), None
    return None, None


def _pixel_size(image: Element) -> PixelSize | None:
    """Return an image's PhysicalSizeX and PhysicalSizeY; without a unit they are in µm."""
    pixels = _pixels(image)
    if pixels is None or all(pixels.get(f"PhysicalSize{axis}") is None for axis in "XY"):
        return None
    # a unit by each number: the two may differ
    x, y = (
        f"{pixels.get(f'PhysicalSize{axis}', '')} {pixels.get(f'PhysicalSize{axis}Unit', 'µm')}"
        for axis in "XY"
    )
    return PixelSize.read("OME-XML PhysicalSize", x, y)


def _objective(root: Element, image: Element) -> ObjectivePower | None:
    """Return the nominal magnification of the objective that the image names."""
    for settings in _children(image, "ObjectiveSettings"):
        for objective in root.iter():
            if _name(objective) == "Objective" and objective.get("ID") == settings.get("ID"):
                return ObjectivePower.read(
                    "OME-XML NominalMagnification", objective.get("NominalMagnification")
                )
    return None


def _name(element: Element) -> str:
    """Return an element's name without its namespace, which differs between schema versions."""
    return str(element.tag).rpartition("}")[2]


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if _name(child) == name)


def _pixels(image: Element) -> Element | None:
    return next(_children(image, "Pixels"), None)


def _size(image: Element) -> tuple[int, int] | None:
    pixels = _pixels(image)
    if pixels is None:
        return None
    return _whole(pixels.get("SizeX")), _whole(pixels.get("SizeY"))


def _pages(image: Element) -> Iterator[range]:
    """Yield the pages that each TiffData of an image lists, by their indices in the file."""
    pixels = _pixels(image)
    for data in () if pixels is None else _children(pixels, "TiffData"):
        first = _whole(data.get("IFD", "0"))
        yield range(first, first + max(_whole(data.get("PlaneCount", "1")), 1))


def _whole(text: str | None) -> int:
    """Return a whole number, −1 where it is none: no page and no size."""
    return int(text) if text is not None and text.strip().isdecimal() else -1
