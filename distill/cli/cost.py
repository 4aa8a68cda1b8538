"""`distill cost`: what a network costs on a store's crops, or on given sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import wsistore
from distill.cli.options import Grouped, is_given, option
from distill.cli.settings_options import options_of
from distill.errors import DistillError, UsageError
from distill.files import publish
from distill.networks import NETWORK, NetworkSettings, NetworkSpec
from distill.output_folder import lock_output, own_name
from distill.settings import from_options
from wsistore import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from distill.cost import Watch
    from distill.networks import Classifier

CLASSES = 3
WIDTH = 110
"""Characters of the table in a file or a pipe, where no terminal says how many there are."""


@dataclass(frozen=True)
class _Subject:
    """The network that is asked about: of a run, or freshly made by its name."""

    network: Classifier
    spec: NetworkSpec
    classes: int
    run: str | None
    level: str | None


@click.command("cost", cls=Grouped)
@click.argument("subject", metavar="RUN|ARCH")
@option(
    "Data",
    "--store",
    metavar="STORE",
    help="Count over the real crop sizes of this store, a folder or a URL.",
)
@option(
    "Data",
    "--level",
    "levels",
    multiple=True,
    metavar="N×",
    help="Level of the store, or all; may be given several times.  [default: the run's, or all]",
)
@option("Data", "--split", default="main", metavar="NAME", help="Split that --subset is of.")
@option(
    "Data",
    "--subset",
    metavar="NAME",
    help="Crops of this subset only; several joined by +.  [default: all crops]",
)
@option(
    "Data",
    "--size",
    "given",
    multiple=True,
    metavar="HxW",
    help="Count for this height and width in pixels instead; may be given several times.",
)
@option(
    "Data",
    "--classes",
    type=click.IntRange(min=1),
    metavar="K",
    help=f"Classes of an ARCH; a run has its own.  [default: {CLASSES}]",
)
@options_of(NetworkSettings, (NETWORK,), without=("network",))
@option("Machine", "--no-measure", is_flag=True, help="Count only; measure no seconds.")
@option(
    "Machine",
    "--repeats",
    type=click.IntRange(min=1),
    default=5,
    help="Passes to time, after one that warms up; the median counts.",
)
@option(
    "Machine",
    "--device",
    default="auto",
    metavar="auto|cpu|cuda|cuda:N",
    help="Where to measure; auto takes CUDA if there is any.",
)
@option(
    "Machine",
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="CPU threads of torch.  [default: one per core]",
)
@option("Output", "--json", "as_json", is_flag=True, help="Print everything as JSON instead.")
@option(
    "Output",
    "--csv",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write one row per level to this file.",
)
@option("Output", "--overwrite", is_flag=True, help="Replace the file of --csv.")
def command(
    subject: str,
    store: str | None,
    levels: tuple[str, ...],
    split: str,
    subset: str | None,
    given: tuple[str, ...],
    classes: int | None,
    no_measure: bool,
    repeats: int,
    device: str,
    threads: int | None,
    as_json: bool,
    file: Path | None,
    overwrite: bool,
    **network_options: Any,
) -> None:
    """Say what a forward pass of a run's network, or of an architecture, costs.

    GMAC and GFLOP per crop and per slide, parameters, memory to answer and to train, and seconds
    measured on this machine, over the real crop sizes of a store (--store) or for given ones
    (--size). ARCH is what --network of a training takes: resnet10, resnet18, resnet34, resnet50,
    timm/NAME or torchvision/NAME.

    \b
    Examples:
      distill cost resnet10 --size 1934x1550 --size 121x97
      distill cost resnet10 --store STORE --level 10x --level 1.25x
      distill cost timm/tf_efficientnet_lite0 --enlarge 4 --size 28x28
      distill cost runs/student --store STORE --subset test --csv cost.csv
      distill cost runs/teacher --store STORE --level all --no-measure --json
    """
    if (store is None) == (not given):
        raise UsageError("give either --store, for its crop sizes, or --size HxW")
    if given and (levels or subset):
        raise UsageError("--level and --subset choose crops of --store; --size needs neither")
    if file is not None:
        lock_output(file, option="--csv")
    if file is not None and file.exists() and not overwrite:
        raise UsageError(f"{file} exists; replace it with --overwrite, or choose another --csv")
    spec = None if Path(subject).is_dir() else _named(subject, network_options)
    import torch

    from distill import cost
    from distill.networks import resolve_device, smallest_input

    if threads is not None:
        torch.set_num_threads(threads)
    where = resolve_device(device)
    asked = _made(spec, classes) if spec else _opened(Path(subject), classes, network_options)
    smallest = smallest_input(asked.spec)
    if store is None:
        crops = cost.sizes.given(given, smallest)
    else:
        wanted = levels or (asked.level or "all",)
        crops = cost.sizes.of_store(wsistore.open(store), wanted, smallest, split, subset)
    stderr = terminal.console(stderr=True)
    blocks = []
    for one in crops:
        if one.left_out:
            text = (
                f"{one.name}: {one.left_out} crops left out: no such level, or under {smallest} px"
            )
            stderr.print(text)
        blocks.append(cost.block(asked.network, one, _watch(one.name, stderr)))
    network = asked.network if no_measure else asked.network.to(where)
    untold = {"seconds_per_crop": None, "seconds_per_slide": None, "not_measured": "--no-measure"}
    for one, counted in zip(crops, blocks, strict=True):
        counted |= untold if no_measure else cost.measured(network, one, counted, where, repeats)
    report = {
        "format": cost.FORMAT,
        "network": asked.spec.text,
        "run": asked.run,
        "classes": asked.classes,
        "parameters": cost.parameters(network),
        "store": None if store is None else store.rstrip("/").rsplit("/", 1)[-1],
        "split": None if subset is None else split,
        "subset": subset,
        "device": None if no_measure else cost.timing.machine(where),
        "repeats": None if no_measure else repeats,
        "counter": cost.COUNTERS,
        "units": cost.UNITS,
        "levels": blocks,
    }
    if file is not None:
        _publish(file, cost.cost_csv(report))
    if as_json:
        terminal.echo_json(report)
    else:
        _printer().print(cost.cost_table(report))
    if not no_measure:
        _require_measured(blocks)


def _publish(file: Path, table: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        publish(file, table)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UsageError(f"{file} cannot be written ({error}); choose another --csv") from error


def _require_measured(blocks: Iterable[Mapping[str, Any]]) -> None:
    reasons = [f"{one['level']}: {one['not_measured']}" for one in blocks if one["not_measured"]]
    if reasons:
        raise DistillError(f"not measured: {'; '.join(reasons)}; --no-measure asks for no seconds")


def _named(text: str, options: Mapping[str, Any]) -> NetworkSpec:
    """Return the architecture of a name.

    Raises:
        UsageError: if there is none.
    """
    asked: NetworkSettings = from_options(NetworkSettings, {**options, "network": text})
    try:
        return asked.spec
    except UsageError as error:
        raise UsageError(f"{text} is no run folder, and {error}") from error


def _made(spec: NetworkSpec, classes: int | None) -> _Subject:
    from distill.networks import build

    count = classes or CLASSES
    return _Subject(build(spec, count).eval(), spec, count, None, None)


def _opened(path: Path, classes: int | None, options: Mapping[str, Any]) -> _Subject:
    """Return a run's network.

    Raises:
        UsageError: if --classes, or an option of an architecture, is given.
        RunError: if the run or its weights cannot be loaded.
    """
    if classes is not None:
        raise UsageError(f"--classes is for an ARCH; {path} is a run and has its own")
    if given := [name for name in options if is_given(name)]:
        flag = given[0].replace("_", "-")
        raise UsageError(f"--{flag} is for an ARCH; {path} is a run and has its own")
    from distill.runs import Run

    run = Run.open(path)
    network = run.load_network()
    about = run.weights
    name = own_name(path)
    return _Subject(network, about.spec, len(about.classes), name, about.level)


def _watch(name: str, console: Console) -> Watch:
    def watch(found: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        listed = list(found)
        return terminal.track(listed, f"counting {name}", console)  # fmt: skip

    return watch


def _printer() -> Console:
    stdout = terminal.console(wrap=True)
    return stdout if stdout.is_terminal else terminal.console(width=WIDTH, wrap=True)
