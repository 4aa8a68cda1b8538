"""Which annotation file belongs to a slide, and what it holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsistore.errors import SlideError
from wsistore.files import file_name, limits
from wsistore.storage import layout

if TYPE_CHECKING:
    from wsistore.annotations.model import Annotations

EXTENSIONS = (".geojson", ".json", ".xml", ".annotations")
_XML = (".xml", ".annotations")


@dataclass(frozen=True)
class AnnotationSource:
    """Where annotation files are, and how their coordinates are to be read.

    Attributes:
        folder: holds the files; None looks beside each slide.
        offset: level-0 pixels (x, y) added to all coordinates.
    """

    folder: Path | None = None
    offset: tuple[int, int] = (0, 0)

    @property
    def offset_text(self) -> str:
        """The offset as ``slides.csv`` holds it: ``"x,y"``, empty where there is none."""
        x, y = self.offset
        return f"{x},{y}" if (x, y) != (0, 0) else ""

    def find(self, slide: Path, name: str = "") -> Path:
        """Return the annotation file of a slide: ``NAME`` or ``NAME.svs``, then an extension.

        Names are compared in NFC. In a folder of their own, files of slides whose id is not their
        name have the id's: another slide of that name may have a file there.

        Args:
            slide: the slide's path.
            name: its id; by default its name.

        Raises:
            SlideError: there is none, or more than one, or the folder cannot be read.
        """
        stems = [layout.own_name(slide), file_name(slide.name)]
        if self.folder is not None and name not in ("", *_ids(slide)):
            stems = [name]
        folder = self.folder if self.folder is not None else slide.parent
        names = [stem + end for stem in dict.fromkeys(stems) for end in EXTENSIONS]
        names = [each for each in names if each != file_name(slide.name)]
        # a listing, for a name may be written in several ways
        try:
            files = [path for path in sorted(folder.iterdir()) if file_name(path.name) in names]
        except OSError as error:
            raise SlideError(f"annotation files cannot be looked for: {error.strerror}") from error
        found = [path for path in files if path.is_file()]
        if not found:
            place = "beside it" if self.folder is None else "in the folder of --annotations"
            raise SlideError(f"no annotation file {place}; looked for {', '.join(names)}")
        if len(found) > 1:
            several = " and ".join(file_name(path.name) for path in found)
            raise SlideError(
                f"several annotation files ({several}); keep one, or one in a folder of its own "
                "for --annotations"
            )
        return found[0]

    def fingerprint(self, slide: Path, name: str = "") -> str:
        """Return the SHA-256 of a slide's annotation file, in hexadecimal.

        Raises:
            SlideError: there is none, or more than one.
            OSError: it cannot be read.
        """
        return _digest(self.find(slide, name).read_bytes())

    def read(self, slide: Path, name: str = "") -> tuple[Annotations, str]:
        """Return a slide's annotations, not yet moved by the offset, and their file's fingerprint.

        Raises:
            SlideError: there is no file, more than one, or it is damaged.
            OSError: it cannot be read.
        """
        path = self.find(slide, name)
        if fault := limits.TEXT_BYTES.fault(path.stat().st_size):
            raise SlideError(f"{path.name}: has {fault}")
        data = path.read_bytes()
        return read_annotations(data, file_name(path.name)), _digest(data)


def _ids(slide: Path) -> tuple[str, ...]:
    """Return the ids that a slide has, or had, by its name."""
    return layout.slide_id(slide), *layout.earlier_ids(slide)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_annotations(data: bytes, file: str) -> Annotations:
    """Read an annotation file of any known kind, told by its extension and XML root.

    Args:
        data: its bytes.
        file: its name, without folder.

    Raises:
        SlideError: it is damaged or of no known kind, or nothing that it holds is a region.
    """
    # imported here: most builds have no annotations, and who hands out slides reads none
    from wsistore.annotations import asap, halo, layers
    from wsistore.annotations.aperio import read_aperio
    from wsistore.annotations.qupath import read_geojson
    from wsistore.files import parse_xml

    if not file.endswith(_XML):
        return read_geojson(data, file)
    root = parse_xml(data, file)
    if root.tag == asap.ROOT:
        return asap.read_asap(root, file)
    if root.tag == layers.ROOT:
        return halo.read_halo(root, file) if halo.is_halo(root) else read_aperio(root, file)
    raise SlideError(
        f"{file}: holds <{root.tag}>, neither ASAP's <{asap.ROOT}> nor Aperio's and HALO's "
        f"<{layers.ROOT}>"
    )
