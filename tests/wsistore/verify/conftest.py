"""A small whole store of three slides, and copies of it to break."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from PIL import ImageCms

from wsistore.cli.main import main

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def write_slide(path: Path, width: int, height: int, seed: int, icc: bytes | None = None) -> None:
    """Write noise as a plain tiled TIFF of 0.5 µm/px."""
    pixels = np.random.default_rng(seed).integers(90, 220, (height, width, 3), dtype=np.uint8)
    options = {} if icc is None else {"iccprofile": icc}
    tifffile.imwrite(
        path, pixels, tile=(128, 128), photometric="rgb", metadata=None,
        resolution=(20000, 20000), resolutionunit="CENTIMETER", **options,
    )  # fmt: skip


@pytest.fixture(scope="session")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides a (three shards of two chunks at 10x), b and c (of one size)."""
    folder = tmp_path_factory.mktemp("slides")
    write_slide(folder / "a.tiff", 1300, 2100, 0, SRGB)
    write_slide(folder / "b.tiff", 400, 300, 1)
    write_slide(folder / "c.tiff", 400, 300, 2)
    return folder


@pytest.fixture(scope="session")
def whole(slides: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store: levels 10x (factor 2) and 2.5x (factor 8), one crop a slide, split ``main``."""
    labels = slides / "labels.csv"
    labels.write_text("slide,patient,label\na,p1,x\nb,p2,x\nc,p3,x\n")
    store = tmp_path_factory.mktemp("verify") / "store"
    arguments = [
        "build", str(slides), "--out", str(store), "--levels", "10x,2.5x", "--regions", "whole",
        "--labels", str(labels), "--workers", "1",
    ]  # fmt: skip
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert CliRunner().invoke(main, ["split", str(store), "--name", "main"]).exit_code == 0
    return store


@pytest.fixture
def broken(whole: Path, tmp_path: Path) -> Callable[[Callable[[Path], object]], Path]:
    """Return a function that copies the store, breaks the copy and returns it."""

    def copy(change: Callable[[Path], object]) -> Path:
        store = tmp_path / "broken"
        shutil.copytree(whole, store)
        change(store)
        return store

    return copy
