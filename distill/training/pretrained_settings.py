"""What a network starts from, and how much of it learns: options, as plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from distill.data import NO_STAINS, STAIN_METHODS
from distill.errors import UsageError
from distill.networks import MATCHES, NETWORK
from distill.settings import setting

NONE, BACKBONE = "none", "backbone"


def _freezes(text: str) -> str:
    if text not in (NONE, BACKBONE) and not re.fullmatch(r"stages=[1-9]\d*", text):
        raise UsageError(f"--freeze {text} is none of {NONE}, {BACKBONE}, stages=N")
    return text


@dataclass(frozen=True, kw_only=True)
class PretrainedSettings:
    """What a network starts from and what of it learns; the fields' help says what each is."""

    weights: Path | None = setting(
        None,
        group=NETWORK,
        metavar="FILE",
        files=True,
        help="Pretrained weights of the network before its head: .safetensors, or a .pt, .pth, "
        ".bin, .ckpt that holds tensors alone. The head is new.",
        record=None,  # what was loaded is
    )
    weights_key: str | None = setting(
        None,
        group=NETWORK,
        metavar="KEY",
        help="Which network of the file, such as teacher, where it holds several.",
        unset="the only one",
        record=None,
    )
    weights_match: str = setting(
        "name",
        group=NETWORK,
        choices=MATCHES,
        help="order: the file's tensors by their order and shapes, where its names are others; "
        "dinov2: by the names that transformers gives the tensors of a Dinov2Model.",
        record=None,
    )
    normalize: str | None = setting(
        None,
        group=NETWORK,
        choices=("train", "network"),
        help="Mean and deviation to normalize the input with: the training crops', or those that "
        "the library gives for the network's weights.",
        unset="network with --weights, else train",
        record=None,  # which it came to be is
    )
    stain_normalization: str = setting(
        NO_STAINS,
        group=NETWORK,
        choices=STAIN_METHODS,
        help="Bring the stains of every crop that is read to those of the training crops: colors "
        "of tissue (Reinhard), or two stains and their amounts (Macenko).",
        preset=True,
        tracked=True,
        recipe=True,
    )
    freeze: str = setting(
        NONE,
        group=NETWORK,
        metavar="none|backbone|stages=N",
        parse=_freezes,
        help="What does not learn: nothing, all but the head, or the first N stages.",
        preset=True,
        tracked=True,
        recipe=True,
    )
