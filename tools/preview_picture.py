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
        slide: a real slide, labelled as normal and shown among the synthetic ones.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        slides = folder / "slides"
        # fewer pixels than by default, so that it takes a minute
        _run("sample", slides, "--patients", 9, "--unlabelled", 2, "--size", 2600,
             "--hard", "pale,pen,edge,no-mpp")  # fmt: skip
        shutil.copy(slide, slides)
        with (slides / "labels.csv").open("a", encoding="utf-8") as labels:
            labels.write(f"{slide.stem},CMU-1,normal\n")
        # the slide without a scale fails, as it is meant to
        _run("build", slides, "--out", folder / "cohort", "--labels", slides / "labels.csv",
             may_fail=True)  # fmt: skip
        _run("preview", folder / "cohort")
        page = folder / "cohort-preview" / "index.html"
        shot = folder / "shot.png"
        subprocess.run(
            [_chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             f"--user-data-dir={folder / 'profile'}", f"--window-size={SIZE[0]},{SIZE[1] + 200}",
             f"--screenshot={shot}", page.as_uri()],
            check=True,
        )  # fmt: skip
        Image.open(shot).convert("RGB").crop((0, 0, *SIZE)).quantize(255).save(OUT, optimize=True)


def _run(*words: object, may_fail: bool = False) -> None:
    program = [sys.executable, "-m", "wsistore.cli.main", *map(str, words)]
    subprocess.run(program, check=not may_fail)


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("Chromium is not installed")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
