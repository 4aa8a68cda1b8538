"""Options that several commands take, so that they read alike."""

from __future__ import annotations

from pathlib import Path

import click

from wsistore.magnification import DEFAULT_LEVELS
from wsistore.readers import AUTO, READERS

labels_option = click.option(
    "--labels", type=click.Path(path_type=Path), help="CSV: slide, patient, label[, mpp]."
)
levels_option = click.option(
    "--levels", default=",".join(DEFAULT_LEVELS), show_default=True,
    help="Magnifications to store; 10x is 1 µm/px.",
)  # fmt: skip
exact_mpp_option = click.option(
    "--exact-mpp", is_flag=True, help="Scale each slide to exactly the nominal µm/px."
)
mpp_option = click.option(
    "--mpp", type=float, help="µm per level-0 pixel of these slides; wins over the file."
)
reader_option = click.option(
    "--reader", type=click.Choice([AUTO, *READERS]), default=AUTO, show_default=True,
    help="Who reads the slides; auto takes the first that can.",
)  # fmt: skip
apply_icc_option = click.option(
    "--apply-icc", is_flag=True,
    help="Convert colours to sRGB by each slide's ICC profile; else pixels stay as stored.",
)  # fmt: skip
