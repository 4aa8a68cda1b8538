"""What a build stores of slides whose tags say little, or wrong things, of their colors."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner

import wsistore
from tools.tiff_files import APERIO, JFIF, image, jpeg, jpeg2000, samples, streams, ycbcr
from wsistore.cli.main import main

TRUE_SIZE = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}


def stored(store: wsistore.Store, slide: str) -> np.ndarray:
    return np.moveaxis(store[f"{slide}/0"]["20x"][:], 0, -1).astype(int)


def test_colors_in_the_store_are_the_slides_and_what_is_odd_is_said(tmp_path: Path) -> None:
    slides, path = tmp_path / "slides", tmp_path / "store"
    slides.mkdir()
    streams(jpeg2000(transform=False), ycbcr(), compression=33003, description=APERIO)(
        slides / "aperio.svs"
    )
    called_rgb = {"compression": "jpeg", "tags": {"PhotometricInterpretation": 2}, **TRUE_SIZE}
    streams(jpeg(marker=JFIF), **called_rgb)(slides / "jfif.tif")
    samples(image(), extratags=[(274, 3, 1, 6, True)], **TRUE_SIZE)(slides / "turned.tif")
    samples(image().astype(np.uint16), **TRUE_SIZE)(slides / "deep.tif")
    result = CliRunner().invoke(
        main,
        ["build", str(slides), "--out", str(path), "--levels", "20x", "--regions", "whole",
         "--workers", "1"],
    )  # fmt: skip
    assert result.exit_code == 1
    store = wsistore.open(path)
    table = store.slides.set_index("slide")
    assert np.abs(stored(store, "aperio") - image()).max() <= 3
    assert np.abs(stored(store, "jfif") - image()).mean() < 3
    assert np.array_equal(stored(store, "turned"), image())
    assert "its tiles YCbCr (JFIF marker)" in table.loc["jfif", "warning"]
    assert "orientation tag (6) is not applied" in table.loc["turned", "warning"]
    assert table.loc["deep", "outcome"] == "failed"
    assert "3 × uint16 RGB" in table.loc["deep", "reason"]
