"""Rows of a level, laid into channels and summed."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from wsistore.writer import LevelWriter


def test_rows_of_any_number_at_a_time_give_the_pixels_and_their_exact_sums(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (1300, 77, 3), np.uint8)
    writer = LevelWriter(tmp_path / "level", 1300, 77)
    for top, bottom in ((0, 1), (1, 511), (511, 1100), (1100, 1300)):
        writer.push(rows[top:bottom])
    writer.close()
    stored = zarr.open_array(str(tmp_path / "level"), mode="r")[:]
    np.testing.assert_array_equal(stored, rows.transpose(2, 0, 1))
    wide = rows.astype(np.int64)
    np.testing.assert_array_equal(writer.sums[:, 0], wide.sum((0, 1)))
    np.testing.assert_array_equal(writer.sums[:, 1], (wide**2).sum((0, 1)))


def test_rows_of_another_width_are_refused(tmp_path: Path) -> None:
    writer = LevelWriter(tmp_path / "level", 10, 8)
    with pytest.raises(ValueError, match="width 8"):
        writer.push(np.zeros((2, 7, 3), np.uint8))


def test_missing_rows_are_refused(tmp_path: Path) -> None:
    writer = LevelWriter(tmp_path / "level", 10, 8)
    writer.push(np.zeros((9, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="10 rows got 9"):
        writer.close()
