"""Whether a picture goes on across the borders of frames."""

from pathlib import Path

import numpy as np

from wsistore.readers import open_slide
from wsistore.readers.checks.seams import broken, has_content, seam_warning


def smooth(seed: int, height: int, width: int) -> np.ndarray:
    """A picture whose neighbors differ by some grey levels."""
    steps = np.random.default_rng(seed).integers(-6, 7, (height, width, 3))
    return np.clip(150 + steps.cumsum(axis=0) // 3 + steps.cumsum(axis=1), 0, 255).astype(np.uint8)


def test_a_picture_that_goes_on_is_whole_and_two_pictures_are_not() -> None:
    whole = smooth(0, 128, 8)
    assert has_content(whole)
    assert not broken(whole)
    both = np.concatenate([whole[:, :4] // 2, 255 - whole[:, :4] // 2], axis=1)
    assert broken(both)


def test_noise_and_glass_are_no_seams() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 8, 3), dtype=np.uint8)
    assert not broken(noise)
    glass = np.full((128, 8, 3), 240, np.uint8)
    glass[:, 4:] = 236
    assert not has_content(glass)


class Frames:
    """As much of a reader as frames in an order of one's own need."""

    frame_size = (240, 240)
    level_sizes = ((2160, 2880),)

    def __init__(self, frames: np.ndarray) -> None:
        self._pixels = frames.reshape(12, 9, 240, 240, 3).swapaxes(1, 2).reshape(2880, 2160, 3)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        assert level == 0
        return self._pixels[y : y + height, x : x + width]


def test_real_tissue_in_its_order_and_out_of_it(cmu: Path) -> None:
    with open_slide(cmu, "tiffslide") as slide:
        assert seam_warning(slide) == ""  # its tiles are placed by the format
        pixels = slide.read(0, 0, 0, 2160, 2880)
    frames = pixels.reshape(12, 240, 9, 240, 3).swapaxes(1, 2).reshape(108, 240, 240, 3)
    assert seam_warning(Frames(frames)) == ""  # type: ignore[arg-type]
    for seed in range(3):
        moved = frames[np.random.default_rng(seed).permutation(108)]
        assert "another order" in seam_warning(Frames(moved))  # type: ignore[arg-type]
