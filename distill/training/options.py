"""What every training command takes: each option declared once, with all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wsistore
from distill.data import TRAIN, VAL
from distill.engine import OPTIMIZATION, TRACKERS, TrainingSettings
from distill.errors import UsageError
from distill.networks import BATCH_PIXELS, NetworkSettings, NetworkSpec
from distill.runs import environment, location
from distill.settings import part, recorded, setting
from distill.training.pretrained_settings import PretrainedSettings

DATA, RUN, MACHINE = "Data", "Run", "Machine"
"""Groups of `--help` beside those of the loop and of distillation."""


def _once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


# what is recorded comes from torch, which is imported then: `--help` reads the declarations alone


def _device_type(name: str) -> str:
    from distill.networks import resolve_device

    return resolve_device(name).type


def _threads(_: int | None) -> int:
    import torch

    return torch.get_num_threads()


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """What every training command takes; the fields' help says what each is.

    `store` is passed on to `wsistore.open` as it is. config.json has the fields' order.

    Raises:
        UsageError: if two of them exclude each other.
    """

    store: str | Path = setting(record=location)
    split: str = setting("main", group=DATA, metavar="NAME", help="Split of the store.")
    subset: str = setting(
        TRAIN,
        group=DATA,
        metavar="NAME[+NAME…]",
        help="Labelled sets to train on, such as a split's L10; several joined by +.",
        record=None,  # see `resolved`
        recipe=True,
    )
    val_subset: str = setting(
        VAL,
        group=DATA,
        metavar="NAME",
        help="Set whose loss chooses the epoch, such as dev. Without val, the last epoch is kept.",
    )
    level: str = setting(
        group=DATA, metavar="N×", help="Level of the input, e.g. 1.25x.", tracked=True
    )
    exclude_class: tuple[str, ...] = setting(
        (),
        group=DATA,
        metavar="NAME",
        multiple=True,
        parse=tuple,
        help="Leave the crops of this class out; may be repeated. A split can do so itself.",
        record=None,  # the class map is, in which the split has a say
    )
    merge: tuple[str, ...] = setting(
        (),
        group=DATA,
        metavar="A+B=C",
        multiple=True,
        parse=tuple,
        help="Take classes together as one; may be repeated. A split can do so itself.",
        record=None,
    )
    init_from: Path | None = setting(
        None,
        group=RUN,
        metavar="RUN|FILE",
        files=True,
        help="Start a new run from the weights of a run, or of a .safetensors file.",
        record=None,  # what was loaded is
    )
    out: Path = setting(group=RUN, help="Run folder to make.", record=None)
    overwrite: bool = setting(
        False, group=RUN, help="Replace the run that --out holds.", record=None
    )
    resume: bool = setting(
        False,
        group=RUN,
        help="Continue the interrupted run that --out holds, with the same options.",
        record=None,
    )
    no_lock: bool = setting(
        False,
        group=RUN,
        rank=1,
        help="Take no lock, on a file system without any. Nothing else may write to --out "
        "meanwhile.",
        record=None,
    )
    architecture: NetworkSettings = part(NetworkSettings)
    pretrained: PretrainedSettings = part(PretrainedSettings)
    schedule: TrainingSettings = part(TrainingSettings)
    preset: str | None = setting(
        None,
        group=OPTIMIZATION,
        rank=-1,
        help="Take every value of a recipe, but for the options given beside it.",
        tracked=True,
    )
    workers: int = setting(
        0,
        group=MACHINE,
        rank=-3,
        at_least=0,
        help="Processes that read crops ahead; the result is the same for any number.",
    )
    read_ahead_mib: int = setting(
        1024,
        group=MACHINE,
        flag="--read-ahead",
        metavar="MIB",
        at_least=1,
        help="MiB of pixels that --workers read ahead, at most.",
    )
    cache_mib: int = setting(
        1024,
        group=MACHINE,
        flag="--cache",
        metavar="MIB",
        at_least=0,
        help="MiB of crops that stay decoded in memory once they were read, at most.",
    )
    device: str = setting(
        "auto",
        group=MACHINE,
        rank=-4,
        metavar="auto|cpu|cuda|cuda:N",
        help="Where to compute; auto takes CUDA if there is any.",
        record=_device_type,
    )
    precision: str = setting(
        "fp32",
        group=MACHINE,
        rank=-1,
        choices=("fp32", "bf16"),
        help="bf16: convolutions and products by autocast; weights and losses stay fp32.",
        tracked=True,
        recipe=True,
    )
    memory_gib: float | None = setting(
        None,
        group=MACHINE,
        flag="--memory",
        metavar="GIB",
        above=0,
        help="GiB for one crop's pass through a network; a crop that needs more is computed in "
        "strips.",
        unset="0.8 of what is free",
    )
    batch_pixels: int | None = setting(
        None,
        group=MACHINE,
        metavar="N",
        at_least=0,
        help="Pixels, padding included, of small crops that pass through a network together; 0 "
        "takes crops one by one. The result differs by rounding only.",
        unset=f"{BATCH_PIXELS['cpu']:,} on the CPU, {BATCH_PIXELS['cuda']:,} on CUDA",
    )
    threads: int | None = setting(
        None,
        group=MACHINE,
        rank=-2,
        at_least=1,
        help="CPU threads of torch.",
        unset="one per core",
        record=_threads,  # what computes, whoever decided on it
    )
    log: tuple[str, ...] = setting(
        (),
        group=RUN,
        choices=tuple(sorted(TRACKERS)),
        multiple=True,
        parse=_once,
        help="Tracker to tell of each epoch; may be given several times.",
    )

    def __post_init__(self) -> None:
        if self.resume and self.init_from:
            raise UsageError(
                "--resume continues the run in --out and --init-from starts a new one from "
                "weights; give one of them (a run that was started with --init-from resumes "
                "without it)"
            )
        if self.resume and self.overwrite:
            raise UsageError(
                "--resume continues the run in --out and --overwrite removes it; give one"
            )

        if self.pretrained.weights and self.init_from:
            raise UsageError(
                "--weights fills the backbone with pretrained weights and --init-from the whole "
                "network with a run's; give one of them"
            )
        if self.pretrained.weights and self.network.norm_to == "group":
            raise UsageError(
                "--norm-to group replaces the norms that --weights were trained with; leave one out"
            )

    @property
    def network(self) -> NetworkSpec:
        """The network to train."""
        return self.architecture.spec

    def resolved(self, store: wsistore.Store) -> dict[str, Any]:
        """Return every option as config.json records it, and what says which split and code.

        "subset" is there where it is not train: labels came from train alone before there was a
        choice, and a run of them says no more than it did.

        Args:
            store: that of `store`, open.
        """
        found = recorded(self)
        first = {name: found.pop(name) for name in ("store", "split")}
        first["split_sha256"] = store.split_sha256(self.split)
        if self.subset != TRAIN:
            first["subset"] = self.subset
        return {**first, **found, "environment": environment()}
