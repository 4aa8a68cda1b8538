"""How far augmentation goes: its options, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from distill.settings import setting

AUGMENTATION = "Augmentation"
"""Group of `--help` for how crops are changed before a network sees them."""


@dataclass(frozen=True)
class AugmentationSettings:
    """How far draws go; 0 leaves an operation out.

    A draw of the other operations does not depend on the strength of any.

    Attributes:
        brightness: factors lie in 1 ± this.
        contrast: factors lie in 1 ± this.
        saturation: factors lie in 1 ± this.
        hue: the hue moves by at most this fraction of the color circle, either way.
        hed_jitter: S; see `distill.data.stains.change_stains`. Each stain is multiplied by a factor
            in 1 ± S, and a number in ± S is added to it.
        no_flips: whether no crop is mirrored; quarter turns stay.
    """

    brightness: float = setting(
        0.5,
        group=AUGMENTATION,
        at_least=0,
        at_most=1,
        help="Brightness changes by a factor of 1 ± this; 0 leaves it.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    contrast: float = setting(
        0.5,
        group=AUGMENTATION,
        at_least=0,
        at_most=1,
        help="Contrast changes by a factor of 1 ± this; 0 leaves it.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    saturation: float = setting(
        0.5,
        group=AUGMENTATION,
        at_least=0,
        at_most=1,
        help="Saturation changes by a factor of 1 ± this; 0 leaves it.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    hue: float = setting(
        0.2,
        group=AUGMENTATION,
        at_least=0,
        at_most=0.5,
        help="The hue moves by up to this fraction of the color circle; 0 leaves it.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    hed_jitter: float = setting(
        0.0,
        group=AUGMENTATION,
        metavar="S",
        at_least=0,
        at_most=1,
        help="Stain jitter, before all other colors: hematoxylin, eosin and DAB each change by a "
        "factor in 1 ± S, and by a shift in ± S; 0 leaves them.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    no_flips: bool = setting(
        False,
        group=AUGMENTATION,
        help="Mirror no crop; quarter turns stay.",
        preset=True,
        tracked=True,
        recipe=True,
    )


DEFAULT_AUGMENTATION = AugmentationSettings()
