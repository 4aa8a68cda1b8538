"""What decides the crops and pixels of a store, and what is to be done with one slide: plain data.

The process that hands slides to workers uses only this module, so that it imports neither a reader
nor a compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from wsistore.annotations import AnnotationSource
from wsistore.errors import StoreError, UsageError, shortened
from wsistore.files import ParseError, file_name, json_record
from wsistore.formatting import visible, without_folders
from wsistore.levels import parse_levels
from wsistore.readers import AUTO
from wsistore.regions import REGION_KINDS, AnnotationSettings, TissueSettings
from wsistore.slides import Label
from wsistore.storage import layout
from wsistore.tables import SlideRow


@dataclass(frozen=True)
class BuildSettings:
    """What decides the pixels of a store; recorded in it, and equal for all its slides.

    Attributes:
        levels: canonical names, finest first.
        exact_mpp: fractional factors that give exactly the nominal scale.
        regions: ``"tissue"``, ``"whole"`` or ``"annotations"``.
        tissue: how tissue is found; the glass is looked for at its scale whatever the regions.
        annotations: how annotations become crops.
        apply_icc: colours are converted to sRGB by each slide's ICC profile.
    """

    levels: tuple[str, ...]
    exact_mpp: bool = False
    regions: str = "tissue"
    tissue: TissueSettings = field(default_factory=TissueSettings)
    annotations: AnnotationSettings = field(default_factory=AnnotationSettings)
    apply_icc: bool = False

    def record(self) -> dict[str, object]:
        """Return the settings as the store's attributes hold them."""
        record: dict[str, object] = {
            "levels": list(self.levels),
            "exact_mpp": self.exact_mpp,
            "regions": self.regions,
            "tissue": self.tissue.record(),
            "apply_icc": self.apply_icc,
        }
        if self.regions == "annotations":
            record["annotations"] = self.annotations.record()
        return record

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> BuildSettings:
        """Return the settings that `record` wrote, whatever else a store's attributes hold.

        Raises:
            StoreError: they are not those of this wsistore, so that its crops would be others.
        """
        known = {field.name for field in fields(cls)}
        try:
            if lacking := sorted(known - {"annotations"} - record.keys()):
                raise ParseError(f"no {' and no '.join(lacking)}")
            given = {name: value for name, value in record.items() if name in known}
            found = json_record(cls, given, "the record")
            if found.levels != parse_levels(found.levels):
                raise ParseError(f"levels {', '.join(found.levels)}")
            if found.regions not in REGION_KINDS:
                kinds = " or ".join(REGION_KINDS)
                raise ParseError(f"regions of kind {found.regions!r}, not {kinds}")
        except (ParseError, UsageError) as error:
            raise StoreError(f"build settings of another wsistore: {error}") from error
        return found


@dataclass(frozen=True)
class SlideTask:
    """One slide to be stored.

    Attributes:
        path: the slide's file.
        label: what the labels table says of it.
        mpp: µm per level-0 pixel from ``--mpp``, used where the labels table gives none.
        annotations: where its annotation file is, if regions are taken from one.
        reader: the reader's name, or ``"auto"``.
        slide: its id; by default its name.
    """

    path: Path
    label: Label
    mpp: float | None = None
    annotations: AnnotationSource = field(default_factory=AnnotationSource)
    reader: str = AUTO
    slide: str = ""

    def __post_init__(self) -> None:
        if not self.slide:
            object.__setattr__(self, "slide", layout.slide_id(self.path))

    @property
    def given_mpp(self) -> float | None:
        """µm per level-0 pixel as the user gives it, or None."""
        return self.label.mpp if self.label.mpp is not None else self.mpp

    def row(self, outcome: str, reason: str = "") -> SlideRow:
        """Return the slide's row with what is known before it is opened.

        Args:
            outcome: ``ok``, ``empty`` or ``failed``.
            reason: why; kept on one line and without folders.
        """
        return SlideRow(
            slide=self.slide,
            outcome=outcome,
            reason=shortened(self.said(reason)),
            file=file_name(self.path.name),
            patient=self.label.patient or self.slide,
            label=self.label.label,
            site=self.label.site or "",
        )

    def said(self, text: str) -> str:
        """Return what a reader or an error says as a store keeps it: one line, no folder."""
        folders = filter(None, (self.path.parent, self.annotations.folder))
        return visible(without_folders(text, *folders))
