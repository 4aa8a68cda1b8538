"""Synthetic H&E-like whole slides to learn, test and benchmark with.

`write_cohort` fills a folder with slides and a labels.csv; `write_slide` writes one slide. The
three classes differ in histology that 10× shows, not in colour; see `wsistore.synthetic.traits`.
"""

from wsistore.synthetic.cohort import write_cohort
from wsistore.synthetic.render import write_slide
from wsistore.synthetic.traits import CLASSES

__all__ = ["CLASSES", "write_cohort", "write_slide"]
