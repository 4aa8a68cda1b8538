"""Rows of a level, laid into channels and summed."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from wsistore.store.array_writer import LevelWriter


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


@pytest.mark.parametrize(
    ("height", "width"),
    [(40, 30), (512, 512), (700, 5000), (513, 4097), (1024, 8192), (100, 9000), (1300, 77)],
)
def test_files_are_byte_for_byte_those_that_zarr_writes(
    tmp_path: Path, height: int, width: int
) -> None:
    rows = np.random.default_rng(0).integers(0, 9, (height, width, 3), np.uint8)
    rows[: height // 2, : width // 2] = 0  # chunks of fill value alone are written all the same
    writer = LevelWriter(tmp_path / "ours", height, width)
    writer.push(rows)
    writer.close()
    LevelWriter(tmp_path / "theirs", height, width)
    theirs = zarr.open_array(str(tmp_path / "theirs"), mode="r+")
    theirs = theirs.with_config({"write_empty_chunks": True})
    theirs[:] = rows.transpose(2, 0, 1)
    ours = files(tmp_path / "ours")
    assert ours == files(tmp_path / "theirs")
    assert writer.bytes == sum(map(len, ours.values()))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
