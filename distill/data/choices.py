"""What options about crops name, as plain data: `--help` needs it, and no table."""

TRAIN = "train"
"""The set that is trained on unless another is named."""
VAL = "val"
"""The set that validates unless another is named; a split may lack it."""
NO_STAINS = "none"
STAIN_METHODS = (NO_STAINS, "reinhard", "macenko")
"""What --stain-normalization may be; see `distill.data.stain_normalization`."""
