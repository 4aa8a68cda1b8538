"""What options about vectors of tiles may be, as plain data for `--help`."""

VIEWS = {"plain": 1, "eight": 8}
"""Number of views of each kind; see `distill.embeddings.views`."""
LOGISTIC = "logistic"
"""The head that is solved, not trained."""
BAGS = ("crop", "slide", "patient")
"""What a head answers for: its bag holds the tiles of one crop, or of all crops of one of these."""
HEADS = {"linear": "LinearHead", LOGISTIC: "LogisticHead", "attention": "AttentionHead"}
"""Name of each head's class in `distill.embeddings.heads`."""
