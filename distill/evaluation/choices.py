"""What options of an evaluation may be, as plain data: `--help` names it, and needs no table."""

AGGREGATES = ("mean", "area")
"""What a crop weighs in its slide and patient: the same, or the area of its box."""
