"""Options that commands share, in named groups; `--help` lists them under these names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from distill.data import VAL
from distill.engine import TRACKERS
from distill.errors import UsageError
from distill.networks import BATCH_PIXELS, NETWORKS
from distill.training import PRESETS

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

FOLDER = click.Path(path_type=Path, file_okay=False)


class Grouped(click.Command):
    """A command whose help lists its options by group, and keeps the lines of its examples."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section of options for each group, in the order of the decorators."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                name = getattr(parameter, "group", "Other")
                sections.setdefault(name, []).append(record)
        for name, records in sections.items():
            with formatter.section(f"{name} options"):
                formatter.write_dl(records)


class _GroupedOption(click.Option):
    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


def option(group: str, *names: str, **kwargs: Any) -> Decorator[Any]:
    """Return a click option that belongs to a named group; its default is shown in the help."""
    kwargs.setdefault("show_default", True)
    return click.option(*names, cls=_GroupedOption, group=group, **kwargs)


def stack(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Return several options as one decorator."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def said(name: str) -> bool:
    """Return whether the command line of the running command gives an option, by parameter name.

    What a preset says, or a default, is not said: it may have no effect beside other options.
    """
    context = click.get_current_context(silent=True)
    return context is not None and (
        context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    )


def refuse_without_effect(needs: Mapping[str, str]) -> None:
    """Refuse options that are said and would do nothing.

    Args:
        needs: parameter names, and why each does nothing beside the others given.

    Raises:
        UsageError: naming the option and the reason.
    """
    for name, why in needs.items():
        if said(name):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} has no effect {why}; leave it out")


# a text, not a path: a store can be a URL
data_options = stack(
    click.argument("store"),
    option("Data", "--split", default="main", metavar="NAME", help="Split of the store."),
)

level_option = option(
    "Data", "--level", required=True, metavar="N×", help="Level of the input, e.g. 1.25x."
)

no_lock_option = option(
    "Run",
    "--no-lock",
    is_flag=True,
    help="Take no lock, on a file system without any. Nothing else may write to --out meanwhile.",
)

run_options = stack(
    option("Run", "--out", required=True, type=FOLDER, help="Run folder to make."),
    option("Run", "--overwrite", is_flag=True, help="Replace the run that --out holds."),
    option(
        "Run",
        "--resume",
        is_flag=True,
        help="Continue the interrupted run that --out holds, with the same options.",
    ),
    option(
        "Run",
        "--log",
        multiple=True,
        type=click.Choice(sorted(TRACKERS)),
        help="Tracker to tell of each epoch; may be given several times.",
    ),
    no_lock_option,
)

val_option = option(
    "Data",
    "--val-subset",
    default=VAL,
    metavar="NAME",
    help="Set whose loss chooses the epoch, such as dev. Without val, the last epoch is kept.",
)

class_options = stack(
    option(
        "Data",
        "--exclude-class",
        multiple=True,
        metavar="NAME",
        help="Leave the crops of this class out; may be repeated. A split can do so itself.",
    ),
    option(
        "Data",
        "--merge",
        multiple=True,
        metavar="A+B=C",
        help="Take classes together as one; may be repeated. A split can do so itself.",
    ),
)

init_option = option(
    "Run",
    "--init-from",
    type=click.Path(path_type=Path),
    metavar="RUN|FILE",
    help="Start a new run from the weights of a run, or of a .safetensors file.",
)

network_option = option(
    "Optimisation",
    "--network",
    type=click.Choice(sorted(NETWORKS)),
    default="resnet10",
    help="Network to train.",
)


def _apply_preset(context: click.Context, _: click.Parameter, name: str | None) -> str | None:
    if name is not None:
        context.default_map = {**(context.default_map or {}), **PRESETS[name].options()}
    return name


optimization_options = stack(
    option(
        "Optimisation",
        "--preset",
        type=click.Choice(sorted(PRESETS)),
        is_eager=True,  # before the options whose defaults it sets
        callback=_apply_preset,
        help="Take every value of a recipe, but for the options given beside it.",
    ),
    option(
        "Optimisation",
        "--epochs",
        type=click.IntRange(min=1),
        default=100,
        help="Passes over the training crops.",
    ),
    option(
        "Optimisation",
        "--accumulate",
        type=click.IntRange(min=1),
        default=32,
        help="Crops whose mean gradient makes one update.",
    ),
    option(
        "Optimisation",
        "--lr",
        type=click.FloatRange(min=0, min_open=True),
        default=1e-3,
        help="Adam's learning rate.",
    ),
    option(
        "Optimisation",
        "--weight-decay",
        type=click.FloatRange(min=0),
        default=1e-4,
        help="Adam's L2 penalty.",
    ),
    option(
        "Optimisation",
        "--select",
        type=click.Choice(["best", "last"]),
        default="best",
        help="Weights to keep: of the lowest validation loss, or of the last epoch.",
    ),
    option(
        "Optimisation",
        "--patience",
        type=click.IntRange(min=1),
        default=None,
        help="Stop after so many epochs without a lower validation loss.  [default: never]",
    ),
    option(
        "Optimisation",
        "--seed",
        type=click.IntRange(min=0, max=2**63 - 1),
        default=0,
        help="Decides initial weights, order and augmentation.",
    ),
)

device_option = option(
    "Machine",
    "--device",
    default="auto",
    metavar="auto|cpu|cuda|cuda:N",
    help="Where to compute; auto takes CUDA if there is any.",
)

threads_option = option(
    "Machine",
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="CPU threads of torch.  [default: one per core]",
)

memory_option = option(
    "Machine",
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    metavar="GIB",
    help="GiB for one crop's pass through a network; a crop that needs more is computed in "
    "strips.  [default: 0.8 of what is free]",
)

batch_option = option(
    "Machine",
    "--batch-pixels",
    type=click.IntRange(min=0),
    default=None,
    metavar="N",
    help="Pixels, padding included, of small crops that pass through a network together; 0 "
    "takes crops one by one. The result differs by rounding only.  "
    f"[default: {BATCH_PIXELS['cpu']:,} on the CPU, {BATCH_PIXELS['cuda']:,} on CUDA]",
)

machine_options = stack(
    device_option,
    option(
        "Machine",
        "--workers",
        type=click.IntRange(min=0),
        default=0,
        help="Processes that read crops ahead; the result is the same for any number.",
    ),
    threads_option,
)

precision_options = stack(
    option(
        "Machine",
        "--precision",
        type=click.Choice(["fp32", "bf16"]),
        default="fp32",
        help="bf16: convolutions and products by autocast; weights and losses stay fp32.",
    ),
    option(
        "Machine",
        "--read-ahead",
        type=click.IntRange(min=1),
        default=1024,
        metavar="MIB",
        help="MiB of pixels that --workers read ahead, at most.",
    ),
    option(
        "Machine",
        "--cache",
        type=click.IntRange(min=0),
        default=1024,
        metavar="MIB",
        help="MiB of crops that stay decoded in memory once they were read, at most.",
    ),
    memory_option,
    batch_option,
)

work_options = stack(run_options, optimization_options, machine_options, precision_options)
training_options = stack(
    data_options, val_option, level_option, init_option, network_option, work_options
)
