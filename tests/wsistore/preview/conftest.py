"""A small store with all that a preview must show: two classes, an empty and a failed slide."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from wsistore.cli.main import main

HOSTILE = "<script>alert('x')</script>"


def write_slide(path: Path, squares: list[tuple[int, int, int, int]]) -> None:
    """Write 1600 × 1200 pixels of 0.5 µm: glass of 242, pink squares (x, y, width, height)."""
    image = np.full((1200, 1600, 3), 242, np.uint8)
    for x, y, width, height in squares:
        image[y : y + height, x : x + width] = (200, 120, 170)
    tifffile.imwrite(
        path, image, tile=(256, 256), photometric="rgb", metadata=None,
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store's folder; not to be changed."""
    folder = tmp_path_factory.mktemp("preview")
    slides = folder / "slides"
    slides.mkdir()
    write_slide(slides / "two.tif", [(100, 100, 400, 300), (900, 600, 500, 400)])
    write_slide(slides / "a<b>&c.tif", [(300, 300, 600, 500)])
    write_slide(slides / "glass.tif", [])
    (slides / "broken.svs").write_bytes(b"no slide")
    labels = f"slide,patient,label\ntwo,p1,benign\na<b>&c,{HOSTILE},{HOSTILE}\n"
    (folder / "labels.csv").write_text(labels, encoding="utf-8")
    arguments = ["build", slides, "--out", folder / "store", "--labels", folder / "labels.csv",
                 "--workers", 1]  # fmt: skip
    result = CliRunner().invoke(main, [str(part) for part in arguments])
    assert result.exit_code == 1, result.output
    return folder / "store"
