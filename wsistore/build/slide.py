"""A slide's crops straight from its file, as a build would store them; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import StoreError, shortened
from wsistore.formatting import visible

if TYPE_CHECKING:
    from wsistore.build.slide_crops import SlideCrops
    from wsistore.levels import Level
    from wsistore.tables import CropRow, SlideRow

# What finds and makes crops is imported where it is used: it brings a compiler and scikit-image,
# for which nobody who opens a store should wait.


class Slide:
    """An open slide and its tissue crops. Made by `open_slide`; neither pickles nor outlives it.

    Attributes:
        row: what a build's ``slides.csv`` says of the slide, but for ``icc``; the outcome is
            ``"ok"``, or ``"empty"`` with its reason.
        crops: what its ``crops.csv`` says, in reading order; boxes in level-0 pixels.
    """

    def __init__(self, found: SlideCrops) -> None:
        """Wrap what was found; see `open_slide`."""
        self._found = found
        self.crops: tuple[CropRow, ...] = found.crops

    @property
    def row(self) -> SlideRow:
        """The slide's row; a vendor level that was passed over is in its warning."""
        row: SlideRow = self._found.row
        notes = (visible(shortened(note)) for note in self._found.native.notes)
        later = [note for note in notes if note not in row.warning]
        return replace(row, warning="; ".join((*filter(None, (row.warning,)), *later)))

    def level(self, name: str) -> Level:
        """Return a level's ``factor`` (level-0 pixels per pixel) and ``mpp`` (µm per pixel) here.

        Raises:
            KeyError: it was not asked for.
        """
        return {level.name: level for level in self._found.levels}[name]

    def size(self, crop: int, name: str) -> tuple[int, int]:
        """Return (height, width) in pixels of a crop, counted from 0, at a level."""
        box = self._found.boxes[crop]
        width, height = self.level(name).size(box.width, box.height)
        return height, width

    def read(self, crop: int, name: str) -> NDArray[np.uint8]:
        """Make a level of a crop from the slide's level-0 pixels, in one pass over them.

        The pixels are those of a build, bit for bit; memory holds the level and a few rows.

        Args:
            crop: its number, from 0.
            name: the level.

        Returns:
            (3, H, W) uint8 RGB, axes c, y, x, C-contiguous.

        Raises:
            SlideError: the pixels cannot be decoded.
        """
        from wsistore.build.strips import block_edges, level_rows
        from wsistore.levels import StreamingDownsampler

        box, reader = self._found.boxes[crop], self._found.reader
        factor = self.level(name).factor
        streams = StreamingDownsampler(box.width, box.height, [factor], block_edges(reader, box))
        pixels = np.empty((3, *streams.shapes[0]), np.uint8)
        row = 0
        for (rows,) in level_rows(reader, box, streams, self._found.covers[crop]):
            pixels[:, row : row + len(rows)] = rows.transpose(2, 0, 1)
            row += len(rows)
        return pixels

    def vendor_factor(self, name: str) -> float:
        """Return the downsampling of the vendor level that `read_vendor` takes; 1 is level 0."""
        from wsistore.build.native_level import scales

        return max(scales(self._found.reader.level_sizes, self._vendor_level(name)))

    def _vendor_level(self, name: str) -> int:
        """Return the coarsest sound vendor level that is fine enough for a level."""
        from wsistore.build.native_level import fine_enough

        sizes = self._found.reader.level_sizes
        return self._found.native.first_sound(fine_enough(sizes, self.level(name).factor))

    def read_vendor(self, crop: int, name: str) -> NDArray[np.uint8]:
        """Make a level of a crop from the coarsest vendor level that is fine enough.

        Quick, and **not** what a build stores: the scanner's software made that vendor level, with
        a filter and a compression of its own; and the crop is moved to whole pixels of it, so that
        it lies up to half such a pixel beside its place, and at the slide's border may be a pixel
        smaller. Annotations' outsides stay as they are. A vendor level that lacks tiles, is damaged
        or shows something else than level 0 is passed over for the next finer one; `row` says so.

        Args:
            crop: its number, from 0.
            name: the level.

        Returns:
            (3, H, W) uint8 RGB, axes c, y, x, C-contiguous.

        Raises:
            SlideError: the pixels cannot be decoded, or the vendor level has none there.
        """
        from wsistore.build.native_level import NoPixelError, native_level_rows
        from wsistore.errors import SlideError

        found, level = self._found, self.level(name)
        while True:
            vendor = self._vendor_level(name)
            try:
                parts = list(native_level_rows(found.reader, found.boxes[crop], level, vendor))
            except NoPixelError:
                raise
            except SlideError as error:
                if vendor == 0:
                    raise
                found.native.pass_over(vendor, error)
            else:
                return np.ascontiguousarray(np.concatenate(parts).transpose(2, 0, 1))

    def picture(self, size: int) -> NDArray[np.uint8]:
        """Return the whole slide small, from the coarsest vendor level that is fine enough.

        Never the label or macro image.

        Args:
            size: the longer side, in pixels, at most and nearly; a smaller slide keeps its size.

        Returns:
            (h, w, 3) uint8 RGB, axes y, x, c.

        Raises:
            SlideError: the pixels cannot be decoded.
        """
        from wsistore.regions import read_thumbnail

        longer = max(self.row.width, self.row.height)
        return read_thumbnail(self._found.native, 1.0, max(longer / size, 1.0)).image


def check_settings(settings: Mapping[str, Any], level: str) -> None:
    """Refuse settings that `open_slide` cannot use, before there is a slide.

    Args:
        settings: as `Store.settings` gives them.
        level: name of the level that is wanted.

    Raises:
        StoreError: the settings are of another wsistore, or lack the level.
    """
    from wsistore.build.settings import BuildSettings

    known = BuildSettings.of(settings)
    if level not in known.levels:
        raise StoreError(f"the settings have no level {level}; they have {', '.join(known.levels)}")


def settings_of_both(
    one: Mapping[str, Any], other: Mapping[str, Any], levels: Sequence[str]
) -> Mapping[str, Any]:
    """Return settings by which `open_slide` finds the crops of two stores, which must be the same.

    Args:
        one: of a store, as `Store.settings` gives them.
        other: of another store.
        levels: names of those that are wanted.

    Raises:
        StoreError: they find other crops, or neither has all the levels.
    """
    from wsistore.build.settings import BuildSettings

    first, second = BuildSettings.of(one), BuildSettings.of(other)
    # boxes are multiples of the coarsest level; the others leave them as they are
    apart = replace(first, levels=first.levels[-1:]), replace(second, levels=second.levels[-1:])
    if apart[0] != apart[1]:
        mine, theirs = (found.record() for found in apart)
        names = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
        said = ", ".join("the coarsest level" if name == "levels" else name for name in names)
        raise StoreError(f"crops are not the same ones: the stores differ in {said}")
    for given, known in ((one, first), (other, second)):
        if set(levels) <= set(known.levels):
            return given
    raise StoreError(f"neither store has the levels {' and '.join(levels)}")


def reader_names() -> tuple[str, ...]:
    """Return what `open_slide` takes as ``reader`` beside ``"auto"``, in the order of trying."""
    from wsistore.readers import READERS

    return tuple(READERS)


@contextmanager
def open_slide(
    path: Path,
    settings: Mapping[str, Any],
    level: str,
    *,
    also: Sequence[str] = (),
    mpp: float | None = None,
    reader: str = "auto",
    annotations: Path | None = None,
    annotation_offset: tuple[int, int] = (0, 0),
    slide: str = "",
) -> Iterator[Slide]:
    """Open a slide and find its crops as a build with those settings does.

    It is opened in this process: a file whose decoder crashes or hangs takes the process with it.
    Who must survive that does this in a worker, by `wsistore.in_workers`, as `distill predict`.

    Args:
        path: a file, or a folder with one DICOM series.
        settings: as `Store.settings` gives them.
        level: name of the level that is wanted, one of the settings'.
        also: names of more levels that are wanted.
        mpp: µm per level-0 pixel that wins over the file's.
        reader: who reads it, by name; ``"auto"`` takes the first that can.
        annotations: folder of annotation files, where crops come from them; beside the slide by
            default.
        annotation_offset: level-0 pixels (x, y) added to coordinates of annotations.
        slide: its id; by default its name, see `slide_id`.

    Raises:
        StoreError: the settings are of another wsistore, or lack a level.
        SlideError: the slide cannot be used.
        OSError: a file cannot be read.
    """
    from wsistore.annotations import AnnotationSource
    from wsistore.build.settings import BuildSettings, SlideTask
    from wsistore.build.slide_crops import open_slide_crops
    from wsistore.files import absolute
    from wsistore.slides import Label

    for name in (level, *also):
        check_settings(settings, name)
    known = BuildSettings.of(settings)
    # of the others, only the coarsest has a part in what is made: boxes are multiples of it
    wanted = {level, *also, known.levels[-1]}
    names = tuple(name for name in known.levels if name in wanted)
    source = AnnotationSource(annotations, annotation_offset)
    task = SlideTask(absolute(path), Label(), mpp, source, reader, slide)
    with open_slide_crops(task, known, names) as found:
        yield Slide(found)
