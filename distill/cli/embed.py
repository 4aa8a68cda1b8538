"""`distill embed`: what a frozen network says of each tile of each crop, stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from distill.cli.exits import interrupted
from distill.cli.options import FOLDER, Grouped, is_given, option, refuse_without_effect, stack
from distill.cli.settings_options import option_of
from distill.cli.training_options import machine_options, no_lock_option, store_argument
from distill.embeddings import VIEWS
from distill.errors import UsageError
from distill.networks import (
    KNOWN_ENCODERS,
    NETWORK,
    POOLINGS,
    NetworkSettings,
    NetworkSpec,
    parse_options,
)
from distill.settings import from_options, settings_of
from distill.training import PretrainedSettings, TrainingOptions
from wsistore import terminal

if TYPE_CHECKING:
    from distill.data import Sample


@click.command("embed", cls=Grouped)
@store_argument
@option(
    "Data",
    "--level",
    default=None,
    metavar="N×",
    help="Level to look at, e.g. 10x; with --run the run's.",
)
@option("Data", "--split", default=None, metavar="NAME", help="Only crops of this split.")
@option(
    "Data",
    "--subset",
    default=None,
    metavar="NAME[+NAME…]",
    help="Only crops of these subsets of --split; several joined by +.",
)
@option("Run", "--out", required=True, type=FOLDER, help="Folder of embeddings to make.")
@option("Run", "--overwrite", is_flag=True, help="Replace the embeddings that --out holds.")
@no_lock_option
@option(
    NETWORK,
    "--run",
    type=FOLDER,
    default=None,
    help="A trained run, such as a student, in place of a library's network: what it hands to its "
    "last layer, of each crop whole, or of --tile.",
)
@option(
    NETWORK,
    "--preset",
    type=click.Choice(tuple(KNOWN_ENCODERS)),
    default=None,
    help="Network, its options, --pool and --weights-match of a published tile encoder; options "
    "given beside it are added.",
)
@option_of(
    NetworkSettings,
    "network",
    default=None,
    help="A library's network: timm/NAME, torchvision/NAME; or give --preset.",
)
@stack(*(option_of(NetworkSettings, name) for name in ("network_option", "enlarge", "stem_stride")))
@option_of(
    PretrainedSettings,
    "weights",
    help="Its weights: .safetensors, or a .pt, .pth, .bin, .ckpt that holds tensors alone.",
)
@stack(*(option_of(PretrainedSettings, name) for name in ("weights_key", "weights_match")))
@option(
    NETWORK,
    "--pool",
    type=click.Choice(POOLINGS),
    default="network",
    help="A tile's vector: as the network itself pools for its classifier; the class token; the "
    "mean of the patches; or the latter two, one behind the other.",
)
@option(
    "Tiles",
    "--tile",
    type=click.IntRange(min=1),
    default=None,
    metavar="PX",
    help="Pixels a side of a tile.  [default: what the network was made for; of a run the whole "
    "crop]",
)
@option(
    "Tiles",
    "--overlap",
    type=click.IntRange(min=0),
    default=0,
    metavar="PX",
    help="Pixels that a tile shares with the next one.",
)
@option(
    "Tiles",
    "--views",
    type=click.Choice(tuple(VIEWS)),
    default="plain",
    help="eight: the crop in its eight positions, mirrored and turned, for augmentation.",
)
@machine_options
@option_of(TrainingOptions, "precision", help="bf16: products by autocast; vectors stay float32.")
@option(
    "Machine",
    "--batch-size",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Tiles that pass through the network together; no vector depends on it but by rounding."
    "  [default: 32 on the CPU, 256 on CUDA]",
)
def command(**given: Any) -> None:
    """Store what a frozen network says of each tile of the crops of STORE.

    A crop is cut into tiles, from the top left, the last ones shifted inward to end at its edges;
    each gives a vector. With --run a crop is one tile, whole, unless --tile is given. `distill
    train teacher --embeddings` learns from the vectors in seconds. What was interrupted goes on
    where it ended when the same command is given again. Started by torchrun, each process does
    its part.

    \b
    Examples:
      distill embed STORE --preset uni --weights uni.bin --level 10x --out embeddings
      distill embed STORE --network timm/resnet50 --weights r50.bin --level 10x --out embeddings
      distill embed STORE --run runs/student --out embeddings
    """
    stderr = terminal.console(stderr=True)

    def watch(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
        return terminal.track(samples, "embedding", stderr, total)

    if given["subset"] is not None and given["split"] is None:
        raise UsageError("--subset is of a split; name it with --split")
    architecture = _network(given)
    from distill.embeddings import EmbedSettings, embed

    request = EmbedSettings(architecture=architecture, **given)
    try:
        embed(request, terminal.echo, watch)
    except KeyboardInterrupt as interruption:
        part = request.out.with_name(f"{request.out.name}.part")
        text = f"Interrupted: the same command goes on where {part} ends."
        raise interrupted(interruption, text) from None


def _network(given: dict[str, Any]) -> NetworkSettings:
    """Return the network that the options ask for, and take them out.

    A preset decides on --pool and --weights-match too, where they are not given; a run on all.

    Raises:
        UsageError: unless a network, a preset or a run is given, or if several are.
    """
    names = [one.parameter for one in settings_of(NetworkSettings) if one.parameter in given]
    if given["run"] is not None:
        _refuse_with_run(given, names)
    preset = given.pop("preset")
    asked = {name: given.pop(name) for name in names}
    if given["run"] is not None:
        return NetworkSettings()
    for name in ("weights", "level"):
        if given[name] is None:
            raise UsageError(f"Missing option '--{name}', or '--run'.")
    if (preset is None) == (asked["network"] is None):
        raise UsageError("give either --network or --preset, or --run")
    if preset is None:
        alone: NetworkSettings = from_options(NetworkSettings, asked)
        return alone
    known = KNOWN_ENCODERS[preset]
    settings = known.settings()
    ours, theirs = (parse_options(o) for o in (settings.network_option, asked["network_option"]))
    spec = NetworkSpec(known.network, {**ours, **theirs}, asked["enlarge"], asked["stem_stride"])
    if not is_given("pool"):
        given["pool"] = known.pool
    if not is_given("weights_match"):
        given["weights_match"] = known.match
    return NetworkSettings.of(spec)


def _refuse_with_run(given: dict[str, Any], names: list[str]) -> None:
    of_a_library = (*names, "preset", "weights", "weights_key", "weights_match", "pool")
    refuse_without_effect(dict.fromkeys(of_a_library, "with --run"))
    if given["tile"] is None:
        refuse_without_effect({"batch_size": "with --run, unless --tile is given"})
