"""How several answers for a crop become one; plain data, so that help loads no torch."""

PROBABILITIES, LOGITS = "probabilities", "logits"
MEANS = (PROBABILITIES, LOGITS)
"""What of several answers is averaged."""
VIEWS = (1, 2, 4, 8)
"""How many views of a crop a network may answer about: see `distill.data.view_draws`."""
