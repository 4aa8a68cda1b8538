"""`distill teach`: compute a teacher's targets once, to train students from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from distill.cli.exits import interrupted
from distill.cli.options import FOLDER, Grouped, option, refuse_without_effect, stack
from distill.cli.settings_options import option_of, options_of
from distill.cli.training_options import (
    batch_option,
    machine_options,
    memory_option,
    no_lock_option,
)
from distill.data import AUGMENTATION, AugmentationSettings
from distill.kd import PAPER_RESIZE, DistillationSettings
from distill.networks import NetworkSettings
from distill.settings import from_options, settings_of
from distill.training import EmbeddedSettings
from wsistore import terminal

if TYPE_CHECKING:
    from distill.data import Sample


@click.command("teach", cls=Grouped)
@click.argument("teacher", type=FOLDER)
@click.argument("store", type=FOLDER)
@option("Data", "--split", default="main", metavar="NAME", help="Split of the store.")
@option("Data", "--subset", default="train", metavar="NAME", help="Subset that gets the draws.")
@option(
    "Data",
    "--plain-subset",
    default="val",
    metavar="NAME",
    help="Subset that gets one view without augmentation, to validate on; val only if the split "
    "has it. none: no crop gets one.",
)
@option("Data", "--level", default=None, metavar="N×", help="The teacher's level, to be sure.")
@option_of(
    EmbeddedSettings,
    "embeddings",
    help="Stored vectors of the crops, for a teacher that is a head on such; of distill embed.",
)
@option(
    "Data",
    "--student-level",
    "student_levels",
    required=True,
    multiple=True,
    metavar="N×",
    help="Level of the students; may be given several times: the teacher looks once for all.",
)
@option(
    "Run",
    "--out",
    required=True,
    type=FOLDER,
    help="Folder of targets to make. {level} in it stands for the level of the students; without "
    "it, several levels make folders OUT/LEVEL.",
)
@option("Run", "--overwrite", is_flag=True, help="Replace the targets that --out holds.")
@no_lock_option
@option(
    "Targets",
    "--views",
    type=click.IntRange(min=1),
    default=10,
    help="Augmentation draws per crop; with as many as epochs, training is as with --teacher.",
)
@option(
    "Targets",
    "--seed",
    type=click.IntRange(min=0, max=2**63 - 1),
    default=0,
    help="Of the draws; the run with the same --seed has the same draws.",
)
@option_of(
    NetworkSettings,
    "network",
    help="Network of the students; it and the options below decide the size of their feature map.",
)
@stack(*(option_of(NetworkSettings, name) for name in ("network_option", "enlarge", "stem_stride")))
@option_of(DistillationSettings, "resize", group="Targets", default=PAPER_RESIZE)
@option(
    "Targets",
    "--hint",
    type=click.Choice(["float32", "float16", "none"]),
    default="float32",
    help="Data type of the resized map: float16 halves it, each value within 1/2048 of itself.",
)
@option("Targets", "--attention", is_flag=True, help="Attention maps too, for --attention-weight.")
@options_of(AugmentationSettings, (AUGMENTATION,))
@machine_options
@memory_option
@batch_option
def command(
    resize: tuple[str, ...], student_levels: tuple[str, ...], memory: float | None, **given: Any
) -> None:
    """Compute what TEACHER says of the crops of STORE once, for any number of students.

    The targets hold, for each view of a crop, the teacher's logits and its last feature map at the
    student's size. `distill train kd --targets` then needs no teacher. What was interrupted goes on
    where it ended when the same command is given again.

    \b
    Examples:
      distill teach runs/teacher STORE --student-level 1.25x --views 100 --out targets
      distill teach runs/teacher STORE --student-level 5x --student-level 1.25x --out targets
    """
    stderr = terminal.console(stderr=True)

    def watch(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
        return terminal.track(samples, "teaching", stderr, total)

    if given["hint"] == "none":
        refuse_without_effect({"resize": "with --hint none"})
    if given["embeddings"] is not None:
        without = ("views", "seed", "workers", "memory", "batch_pixels")
        refuse_without_effect(dict.fromkeys(without, "with --embeddings"))
    levels = tuple(dict.fromkeys(student_levels))
    architecture = from_options(NetworkSettings, given)
    augmentation = from_options(AugmentationSettings, given)
    for cls in (NetworkSettings, AugmentationSettings):
        for one in settings_of(cls):
            given.pop(one.parameter, None)
    from distill.kd import TeachSettings, teach

    request = TeachSettings(
        resizers=resize,
        student_levels=levels,
        memory_gib=memory,
        architecture=architecture,
        augmentation=augmentation,
        **given,
    )
    try:
        teach(request, terminal.echo, watch)
    except KeyboardInterrupt as interruption:
        parts = " and ".join(f"{request.folder(level)}.part" for level in levels)
        ends = "ends" if len(levels) == 1 else "end"
        text = f"Interrupted: the same command goes on where {parts} {ends}."
        raise interrupted(interruption, text) from None
