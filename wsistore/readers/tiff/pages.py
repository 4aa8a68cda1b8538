"""Which images of a TIFF are the slide and its pyramid; label, macro and thumbnail never are."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tifffile import TiffFile, TiffPage

from wsistore.errors import DamagedSlideError, SlideError, SlideImageError
from wsistore.levels import is_reduced_size

_ROLE = r"(?:slide )?(?:label|macro|overview|thumbnail|map|probability)(?:[ _]?image)?"
_NAME = re.compile(rf"{_ROLE}|.*[\[(]{_ROLE}[\])]", re.IGNORECASE)
"""A whole name that says that an image is none of the slide: ``macro``, ``a.svs [label image]``."""
_LINE = re.compile(rf"{_ROLE}(?: \d+ ?x ?\d+.*| -\w+=.*)?", re.IGNORECASE)
"""A line of a description that says so: ``label 387x463`` (Aperio), ``Macro -offset=…``."""
_QPTIFF = re.compile(r"<ImageType>\s*(?:label|overview|thumbnail)", re.IGNORECASE)

_SOURCE_LENS, _FOCAL_PLANE = 65421, 65424
"""Hamamatsu's tags: the objective's power, -1 for the macro, -2 for a map; and the depth."""

_REDUCED, _PAGE = 0b1, 0b10
"""Bits of NewSubfileType that an image of a slide may have; others mark masks and macros."""

RIVAL = 0.25
"""Share of the largest image's pixels from which on another image could be the slide as well."""


@dataclass(frozen=True)
class SlidePages:
    """The images of a TIFF that are its slide.

    Attributes:
        levels: the largest image, then its reduced versions, tiled ones only, by size.
        notes: a sentence on images that are neither these nor known to be something else.
    """

    levels: tuple[TiffPage, ...]
    notes: tuple[str, ...] = ()


def slide_pages(file: TiffFile) -> SlidePages:
    """Choose the slide among all images of a TIFF, by size and structure; order does not matter.

    Levels may be SubIFDs, pages of one series or series of their own.

    Args:
        file: the open file; of no format that places several scans on one slide (SCN, BIF).

    Raises:
        SlideError: it has none.
        DamagedSlideError: the list of its images breaks off.
        SlideImageError: none of them is the slide, or more than one could be.
    """
    images = list(_images(file))
    if not images:
        raise SlideError("it holds no image: where its first page lies makes no sense")
    _require_whole_list(file, images)
    own = [page for page in images if not _is_other(page)]
    if not own:
        raise SlideImageError(
            f"it holds no image of a slide, only label, macro or the like ({_sizes(images)}); "
            "export the slide itself"
        )
    base = max(own, key=lambda page: (_pixels(page), page.is_tiled, not page.is_reduced))
    rest = [page for page in own if page is not base]
    levels = [page for page in rest if _is_level(page, base)]
    others = [page for page in rest if not any(page is level for level in levels)]
    rivals = [page for page in others if _is_rival(page, base)]
    if rivals:
        raise SlideImageError(
            f"more than one of its images could be the slide ({_sizes([base, *rivals])}); "
            "export the one that is meant to a file of its own"
        )
    if depth := _stacked(file, base):
        raise SlideImageError(
            f"it is a stack of {depth} images of {_size(base)}; "
            "export the one that is meant to a file of its own"
        )
    if base.is_reduced:
        raise SlideImageError(
            f"its largest image, {_size(base)}, is marked as a reduced copy of one that the file "
            "does not hold; export the slide again"
        )
    note = f"it also holds what is no level of the slide and is not read ({_sizes(others)})"
    return SlidePages((base, *_distinct(levels, base)), (note,) if others else ())


def _images(file: TiffFile) -> Iterator[TiffPage]:
    """Yield every image of the file once, SubIFDs among them."""
    seen: set[int] = set()
    # by series first: tifffile mends sizes of Philips' padded levels there
    for series in file.series:
        for level in series.levels:
            for page in level.pages:
                if page is not None and page.parent is file and page.offset not in seen:
                    seen.add(page.offset)
                    yield page.aspage()
    for page in file.pages:
        whole = page.aspage()
        if whole.offset not in seen:
            seen.add(whole.offset)
            yield whole
        for sub in whole.pages or ():
            if sub.offset not in seen:
                seen.add(sub.offset)
                yield sub.aspage()


def _require_whole_list(file: TiffFile, images: Sequence[TiffPage]) -> None:
    """Refuse a file whose last image points at a next one that is not there; it may be the slide.

    Raises:
        DamagedSlideError: it does.
    """
    where = file.pages.next_page_offset
    if where is None:
        return
    file.filehandle.seek(where)
    (after,) = struct.unpack(file.tiff.offsetformat, file.filehandle.read(file.tiff.offsetsize))
    # a list that leads back to an image of its own is complete
    if after and all(page.offset != after for page in images):
        raise DamagedSlideError(
            f"the list of its images breaks off after {len(file.pages)}, and the slide may be "
            "among those that are lost; copy it again"
        )


def _is_other(page: TiffPage) -> bool:
    """Tell whether a page says that it is a label, macro, thumbnail, mask or focal plane."""
    if page.subfiletype & ~(_REDUCED | _PAGE):
        return True
    if page.parent.is_ndpi:
        lens, depth = (page.tags.valueof(tag, default=0) for tag in (_SOURCE_LENS, _FOCAL_PLANE))
        return bool(lens < 0 or depth != 0)
    text = page.description
    # Aperio's second line says what the image is; its label is marked as a reduced image besides
    if any(_LINE.fullmatch(line.strip()) for line in text.splitlines()[:2]):
        return True
    if page.parent.is_svs and page.is_reduced and not page.is_tiled:
        return True
    name = str(page.tags.valueof("PageName", default="")).strip()
    return bool(_NAME.fullmatch(name) or _QPTIFF.search(text) or _named(page))


def _named(page: TiffPage) -> bool:
    """Tell whether the format's metadata names the page's series as something else."""
    for series in page.parent.series:
        # tifffile names images of Aperio and PerkinElmer by their place alone
        if series.kind in ("svs", "qpi") and page.is_tiled:
            continue
        if _NAME.fullmatch(series.name.strip()) and any(
            part is not None and part.offset == page.offset
            for level in series.levels
            for part in level.pages
        ):
            return True
    return False


def _is_rival(page: TiffPage, base: TiffPage) -> bool:
    """Tell whether an image that is no level of the largest could be the slide in its place."""
    if page.is_reduced and _pixels(page) < _pixels(base):
        return False
    # slides have tiles; a large picture without them beside one with tiles may be a macro
    return _pixels(page) >= RIVAL * _pixels(base) or (page.is_tiled and not base.is_tiled)


def _is_level(page: TiffPage, base: TiffPage) -> bool:
    return (
        is_reduced_size(_wide_high(page), _wide_high(base))
        and page.samplesperpixel == base.samplesperpixel
        and page.dtype == base.dtype
    )


def _distinct(levels: Sequence[TiffPage], base: TiffPage) -> list[TiffPage]:
    """Return the tiled levels laid out as the base is, largest first, without sizes met twice."""
    tiled = [page for page in levels if page.is_tiled and page.planarconfig == base.planarconfig]
    sizes = [_wide_high(page) for page in tiled]
    alone = [page for page in tiled if sizes.count(_wide_high(page)) == 1]
    return sorted(alone, key=_pixels, reverse=True)


def _stacked(file: TiffFile, base: TiffPage) -> int:
    """Return how many images one page stands for, 0 for one: depths, or ImageJ's unlisted ones."""
    depth = int(base.imagedepth)
    for series in file.series:
        for level in series.levels:
            if any(page is not None and page.offset == base.offset for page in level.pages):
                depth = max(depth, len(level))
    return depth if depth > 1 else 0


def _wide_high(page: TiffPage) -> tuple[int, int]:
    return page.imagewidth, page.imagelength


def _pixels(page: TiffPage) -> int:
    return page.imagewidth * page.imagelength


def _size(page: TiffPage) -> str:
    return f"{page.imagewidth} × {page.imagelength} pixels"


def _sizes(pages: Sequence[TiffPage]) -> str:
    """Return what is counted: ``640 × 320 pixels, 3 images of 512 × 512 pixels``."""
    sizes = [_size(page) for page in pages]
    return ", ".join(
        size if sizes.count(size) == 1 else f"{sizes.count(size)} images of {size}"
        for size in dict.fromkeys(sizes)
    )
