"""Types that several packages share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.integer[Any]] | Floats
Indices = NDArray[np.intp]
Scores = dict[str, Floats]
