"""Options of `distill predict`, in named groups."""

from __future__ import annotations

import re
from pathlib import Path

import click

import wsistore
from distill.cli.aggregate import aggregate_option
from distill.cli.options import FOLDER, option, stack
from distill.cli.training_options import answer_batch_option, memory_option
from distill.cli.views import views_option
from distill.errors import UsageError
from distill.predict import BASE, VENDOR

FILE = click.Path(path_type=Path)
REGIONS = ("tissue", "whole", "annotations")


def _reader(_: click.Context, __: click.Parameter, name: str) -> str:
    if name != "auto" and name not in (known := wsistore.reader_names()):
        raise UsageError(f"--reader {name} is none of auto, {', '.join(known)}")
    return name


def _offset(_: click.Context, __: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"\s*(-?\d+)\s*,\s*(-?\d+)\s*", text)
    if found is None:
        raise UsageError(f"--annotation-offset {text!r} is not X,Y: two whole numbers of pixels")
    return int(found[1]), int(found[2])


slide_options = stack(
    option("Slides", "--store", metavar="STORE", help="Store that RUN was trained on: for a run "
           "from before runs recorded how its slides were built."),
    option("Slides", "--id", "rule", type=click.Choice(wsistore.ID_RULES),
           default=wsistore.ID_RULES[0],
           help="Slides' ids, as in wsistore build: the file's name; the given folder's name and "
           "the path below it; or the column 'id' of --labels."),
    option("Slides", "--labels", type=FILE, default=None, metavar="FILE",
           help="CSV with the column 'id', as in wsistore build; for --id column."),
    option("Slides", "--mpp", type=click.FloatRange(min=0, min_open=True),
           help="µm per level-0 pixel of these slides; wins over the file."),
    option("Slides", "--mpp-tolerance", type=click.FloatRange(min=0), default=0.1,
           help="Share by which the level's µm per pixel may differ from the run's; a slide "
           "further off fails."),
    option("Slides", "--reader", default="auto", metavar="NAME", callback=_reader,
           help="Who reads the slides, as in wsistore build; auto takes the first that can."),
    option("Slides", "--regions", type=click.Choice(REGIONS), default=None,
           help="Find crops in another way than the store of the run.  [default: as the store]"),
    option("Slides", "--annotations", type=FILE, default=None,
           help="Folder of annotation files, where crops are annotations.  "
           "[default: beside each slide]"),
    option("Slides", "--annotation-offset", metavar="X,Y", default=None, callback=_offset,
           help="Level-0 pixels added to the coordinates of annotations."),
    option("Slides", "--from-level", "pixels", type=click.Choice([BASE, VENDOR]), default=BASE,
           help="Make the level from the slide's base, as it was trained; or, quicker and not "
           "the same, from the pyramid in the slide's file."),
    option("Slides", "--compare", is_flag=True,
           help="With --from-level vendor: predict from the base as well, and say how the "
           "answers differ."),
)  # fmt: skip


def _confidence(_: click.Context, __: click.Parameter, value: float | None) -> float | None:
    if value is not None and not value >= 0:
        raise UsageError(f"--defer-below {value:g} is no confidence: 0 to 1, or inf for every crop")
    return value


answer_options = stack(
    views_option("Answer"),
    option("Answer", "--temperature", type=click.FloatRange(min=0, min_open=True), default=None,
           help="Divide logits by this; 1 gives the network's own probabilities.  [default: what "
           "RUN's evaluations have fitted]"),
    option("Answer", "--calibration", default=None, metavar="FILE",
           type=click.Path(path_type=Path, exists=True, dir_okay=False),
           help="metrics.json of the evaluation (with --calibrate) to take the temperature of."),
    aggregate_option("Answer"),
    option("Deferral", "--defer-to", type=FOLDER, default=None, metavar="TEACHER",
           help="Run that answers, at its own level, the crops that RUN is not sure of."),
    option("Deferral", "--defer-below", type=float, default=None, metavar="P",
           callback=_confidence,
           help="RUN keeps crops whose predicted class has at least this probability; inf: none."),
    option("Deferral", "--teacher-temperature", default=None,
           type=click.FloatRange(min=0, min_open=True),
           help="As --temperature, for TEACHER."),
    option("Deferral", "--teacher-calibration", default=None, metavar="FILE",
           type=click.Path(path_type=Path, exists=True, dir_okay=False),
           help="As --calibration, for TEACHER."),
)  # fmt: skip

other_options = stack(
    option("Output", "--out", type=FOLDER, default=None,
           help="Folder to make: tables, JSON, and a picture of each slide."),
    option("Output", "--overwrite", is_flag=True, help="Replace the predictions that --out holds."),
    option("Output", "--json", "as_json", is_flag=True, help="Print predictions.json instead."),
    option("Machine", "--device", default="auto", metavar="auto|cpu|cuda|cuda:N",
           help="Where to compute; auto takes CUDA if there is any."),
    option("Machine", "--workers", type=click.IntRange(min=1), default=1,
           help="Slides at the same time, each in a process of its own."),
    option("Machine", "--timeout", type=click.FloatRange(min=0), default=wsistore.TIMEOUT,
           help="Seconds without progress after which a slide is given up; 0 for no limit."),
    option("Machine", "--threads", type=click.IntRange(min=1), default=None,
           help="CPU threads of torch, a process.  [default: the cores, shared among workers]"),
    memory_option,
    answer_batch_option,
)  # fmt: skip
