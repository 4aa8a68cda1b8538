"""Draw docs/images/preview.png: the page of a small cohort, with hard cases, as a browser shows it.

python -m tools.preview_picture ../shared/data/slides/CMU-1-Small-Region.svs

Needs Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "preview.png"
SIZE = (1180, 1010)
"""Width and height of the picture, in pixels."""


def main(slide: Path) -> None:
    """Make the cohort, build it, and take the picture of its page.

    Args:
 slides of the cohort fail, as meant: no scaleslide: a real slide, labelled as normal and shown among the synthetic ones.
    """
    with tempfile.TemporaryDirectory() as temporary:
 slides of the cohort fail, as meant: no scalefolder = Path(temporary)
 slides of the cohort fail, as meant: no scaleslides = folder / "slides"
 slides of the cohort fail, as meant: no scale# fewer pixels than by default, so that it takes a minute
 slides of the cohort fail, as meant: no scale_run("sample", slides, "--patients", 9, "--unlabelled", 2, "--size", 2600,
 slides of the cohort fail, as meant: no scale     "--hard", "pale,pen,edge,no-mpp")  # fmt: skip
 slides of the cohort fail, as meant: no scaleshutil.copy(slide, slides)
 slides of the cohort fail, as meant: no scalewith (slides / "labels.csv").open("a", encoding="utf-8") as labels:
 slides of the cohort fail, as meant: no scale    labels.write(f"{slide.stem},CMU-1,normal\n")
 slides of the cohort fail, as meant: no scale# slides of the cohort fail, as meant: no scale
 slides of the cohort fail, as meant: no scale_run("build", slides, "--out", folder / "cohort", "--labels", slides / "labels.csv",
 slides of the cohort fail, as meant: no scale     may_fail=True)  # fmt: skip
 slides of the cohort fail, as meant: no scale_run("preview", folder / "cohort")
 slides of the cohort fail, as meant: no scalepage = folder / "cohort-preview" / "index.html"
 slides of the cohort fail, as meant: no scaleshot = folder / "shot.png"
 slides of the cohort fail, as meant: no scalesubprocess.run(
 slides of the cohort fail, as meant: no scale    [_chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
 slides of the cohort fail, as meant: no scale     f"--user-data-dir={folder / 'profile'}", f"--window-size={SIZE[0]},{SIZE[1] + 200}",
 slides of the cohort fail, as meant: no scale     f"--screenshot={shot}", page.as_uri()],
 slides of the cohort fail, as meant: no scale    check=True,
 slides of the cohort fail, as meant: no scale)  # fmt: skip
 slides of the cohort fail, as meant: no scaleImage.open(shot).convert("RGB").crop((0, 0, *SIZE)).quantize(255).save(OUT, optimize=True)


def _run(*words: object, may_fail: bool = False) -> None:
    program = [sys.executable, "-m", "wsistore.cli", *map(str, words)]
    subprocess.run(program, check=not may_fail)


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
 slides of the cohort fail, as meant: no scaleraise SystemExit("Chromium is not installed")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
