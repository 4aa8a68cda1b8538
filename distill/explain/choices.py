"""What --class of an explanation can be beside a class, as plain data for `--help`."""

PREDICTED, LABEL = "predicted", "label"
"""The class that the first run predicts, or each crop's own."""
