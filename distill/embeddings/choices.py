"""What options about vectors of tiles may be, as plain data for `--help`."""

VIEWS = {"plain": 1, "eight": 8}
"""Number of views of each kind; see `distill.embeddings.views`."""
LOGISTIC = "logistic"
"""The head that is solved, not trained."""
HEADS = {"linear": "LinearHead", LOGISTIC: "LogisticHead", "attention": "AttentionHead"}
"""Name of each head's class in `distill.embeddings.heads`."""
