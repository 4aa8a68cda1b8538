"""What slides there are: classes of histology, and hard cases. Plain data: `--help` names them."""

CLASSES = ("normal", "inflamed", "atrophic")
"""The classes, in the spirit of normal duodenum, non-specific duodenitis and coeliac sprue."""

HARD_CASES = ("pale", "pen", "edge", "no-mpp")
"""Slides that builds could stumble over; `wsistore.synthetic.scene.scene` draws them."""
