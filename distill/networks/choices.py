"""What options about networks may be, as plain data: `--help` names it, and needs no torch."""

MATCHES = ("name", "order", "dinov2")
"""How the tensors of a weights file are matched to a network's; see `pretrained`."""
POOLINGS = ("network", "token", "mean", "token+mean")
"""How a tile's vector is made; see `distill.networks.TileEncoder`."""
MAP = "map"
"""In place of one of `POOLINGS`: the mean of the last map, as a run's own classifier is given."""
BATCH_PIXELS = {"cpu": 2**19, "cuda": 2**22}
"""Pixels of a batch where nothing else is asked for. On the CPU a larger batch saves hardly more
(measured, docs/explanation/large-crops.md); the figure for CUDA is a guess, tested on no GPU."""
ANSWER_PIXELS = {"cpu": 2**16, "cuda": BATCH_PIXELS["cuda"]}
"""Likewise where a network only answers. On the CPU a larger masked batch takes longer than its
crops one by one (docs/explanation/large-crops.md)."""
