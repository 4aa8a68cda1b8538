"""Draw docs/images/explain.jpg: three crops of the demo as its teacher and its student see them.

make demo && python -m tools.explain_picture demo-out
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from distill.explain.crops import explain_crops
from distill.explain.plan import ExplainRequest, plan_explanation
from distill.runs.run import Run

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "explain.jpg"
CROPS = ("P024-1/2", "P033-1/3", "P031-1/0")
SIZE = 330


def main(demo: Path) -> None:
    """Explain the crops, each for its label, and stack their pictures."""
    runs = [Run.open(demo / name) for name in ("teacher", "student")]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "explained"
        request = ExplainRequest(str(demo / "store"), out, crops=CROPS, target="label", size=SIZE)
        report = explain_crops(plan_explanation(runs, request), lambda cases, total: cases)
        pictures = [Image.open(out / entry["picture"]) for entry in report["crops"]]
        size = (max(one.width for one in pictures), sum(one.height for one in pictures))
        sheet = Image.new("RGB", size, "white")
        y = 0
        for one in pictures:
            sheet.paste(one, (0, y))
            y += one.height
    # a palette would draw steps into the maps
    sheet.save(OUT, quality=88, subsampling=0, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
