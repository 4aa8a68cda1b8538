"""What options about crops name, as plain data: `--help` needs it, and no table."""

VAL = "val"
"""The set that validates unless another is named; a split may lack it."""
