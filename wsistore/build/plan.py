"""What a build would do with a slide, decided before any of its pixels is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsistore.errors import SlideError
from wsistore.files import file_name
from wsistore.formatting import without_folders
from wsistore.levels import Level, levels_of
from wsistore.parallel import Death, in_workers
from wsistore.readers import AUTO, open_slide, resolve
from wsistore.slides import SlideFile
from wsistore.storage import layout

if TYPE_CHECKING:
    from wsistore.readers import Reader

DEVIATION = 0.05
"""Relative deviation of a level from its nominal scale above which the slide gets a warning."""


@dataclass(frozen=True)
class SlidePlan:
    """What would become of a slide. A slide that would fail has an error and nothing that follows.

    Attributes:
        slide, file: its id, and its file's name.
        error: why it would fail; empty where it would be built.
        reader, vendor: who reads it, and its format.
        width, height: level-0 pixels.
        mpp, mpp_source: µm per level-0 pixel and where that is from.
        objective_power: as the file says it, or None.
        icc: the file has a colour profile.
        levels: finest first.
        warnings: one sentence each.
    """

    slide: str
    file: str
    error: str = ""
    reader: str = ""
    vendor: str = ""
    width: int = 0
    height: int = 0
    mpp: float = 0.0
    mpp_source: str = ""
    objective_power: float | None = None
    icc: bool = False
    levels: tuple[Level, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON knows it; each level with its deviation from nominal."""
        levels = [{**asdict(level), "deviation": level.deviation} for level in self.levels]
        return {**asdict(self), "levels": levels, "warnings": list(self.warnings)}


def open_planned(
    path: Path,
    names: Sequence[str],
    mpp: float | None = None,
    exact_mpp: bool = False,
    reader: str = AUTO,
    apply_icc: bool = False,
) -> tuple[Reader, SlidePlan]:
    """Open a slide and decide all that needs no pixels. Builds and plans both come by here.

    Args:
        path: the slide.
        names: canonical level names, finest first.
        mpp: µm per level-0 pixel that wins over the file's.
        exact_mpp: fractional factors that give exactly the nominal scale.
        reader: a reader's name, or ``"auto"``.
        apply_icc: the reader converts what it reads to sRGB.

    Returns:
        The open reader, which the caller closes, and the plan.

    Raises:
        SlideError: the slide would fail.
    """
    opened = open_slide(path, reader)
    try:
        resolution = resolve(opened.properties, mpp)
        levels = levels_of(resolution.mpp, names, exact_mpp)
        if apply_icc:
            opened.apply_icc()
    except BaseException:
        opened.close()
        raise
    width, height = opened.level_sizes[0]
    plan = SlidePlan(
        slide=layout.slide_id(path),
        file=file_name(path.name),
        reader=opened.name,
        vendor=opened.properties.vendor,
        width=width,
        height=height,
        mpp=resolution.mpp,
        mpp_source=resolution.source,
        objective_power=resolution.objective_power,
        icc=opened.properties.icc is not None,
        levels=levels,
        warnings=(*resolution.warnings, *_warnings(opened, levels, apply_icc)),
    )
    return opened, plan


def _warnings(reader: Reader, levels: Sequence[Level], apply_icc: bool) -> list[str]:
    width, height = reader.level_sizes[0]
    found = list(reader.properties.notes)
    found += [
        f"{level.name} is {level.mpp:g} µm/px, {level.deviation:+.1%} from nominal"
        for level in levels
        if abs(level.deviation) > DEVIATION
    ]
    if min(levels[-1].size(width, height)) < 1:
        found.append(f"it is smaller than one pixel of {levels[-1].name}: a region would fail")
    if apply_icc and reader.properties.icc is None:
        found.append("it has no colour profile and is taken as sRGB")
    return found


def plan_slide(
    path: Path,
    names: Sequence[str],
    mpp: float | None = None,
    exact_mpp: bool = False,
    reader: str = AUTO,
    apply_icc: bool = False,
) -> SlidePlan:
    """Return what a build with the same arguments would do; see `open_planned`."""
    try:
        opened, plan = open_planned(path, names, mpp, exact_mpp, reader, apply_icc)
    except (SlideError, OSError) as error:
        reason = without_folders(str(error), path.parent)
        return SlidePlan(layout.slide_id(path), file_name(path.name), reason)
    opened.close()
    return plan


def plan_slides(
    slides: Sequence[tuple[SlideFile, float | None]],
    names: Sequence[str],
    exact_mpp: bool = False,
    reader: str = AUTO,
    apply_icc: bool = False,
    timeout: float | None = None,
) -> list[SlidePlan]:
    """Plan slides in a process of their own, which one that crashes or hangs ends, and no other.

    Args:
        slides: each with the µm per level-0 pixel that wins over its file's, or None.
        names, exact_mpp, reader, apply_icc: as of `open_planned`.
        timeout: seconds after which a slide is given up; None, and 0, for no limit.

    Returns:
        One plan a slide, in order.
    """
    work = partial(_plan, names=names, exact_mpp=exact_mpp, reader=reader, apply_icc=apply_icc)
    plans = {}
    for (file, _), plan in in_workers(work, slides, 1, timeout=timeout):
        if isinstance(plan, Death):
            plan = SlidePlan(file.slide, file.file, plan.reason)
        plans[file.slide] = plan
    return [plans[file.slide] for file, _ in slides]


def _plan(slide: tuple[SlideFile, float | None], **options: Any) -> SlidePlan:
    file, mpp = slide
    return replace(plan_slide(file.path, mpp=mpp, **options), slide=file.slide)
