"""What pixels a prediction may be made of, as plain data: `--help` names it, and needs no torch."""

BASE, VENDOR = "base", "vendor"
"""The slide's base, as in training; or the pyramid of the slide's file."""
