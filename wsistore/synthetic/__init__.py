"""Synthetic H&E-like whole slides to learn, test and benchmark with.

`write_cohort` fills a folder with slides and a labels.csv; `write_slide` writes one slide. The
three classes differ in histology that 10× shows, not in color; see
`wsistore.synthetic.scene.traits`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
