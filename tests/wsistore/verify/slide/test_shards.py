"""Shards byte by byte, against what zarr-python writes."""

from pathlib import Path

import google_crc32c
import numpy as np
import pytest
import zarr
from numcodecs.zstd import Zstd

from wsistore.store.array_writer import LevelWriter
from wsistore.verify.slide.shards import AbsentError, DamageError, decode, read_chunks


def shard(path: Path, height: int = 512, width: int = 1100) -> tuple[bytes, np.ndarray]:
    """Return a shard of 1 × 3 chunks of 512 × 512, and its pixels, (3, height, width)."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    writer = LevelWriter(path, height, width)
    writer.push(pixels)
    writer.close()
    return (path / "c/0/0/0").read_bytes(), pixels.transpose(2, 0, 1)


def test_chunks_are_the_pixels_that_were_written(tmp_path: Path) -> None:
    data, pixels = shard(tmp_path / "a")
    chunks = dict(read_chunks(data, 3, (3, 512, 512)))
    for number, chunk in chunks.items():
        assert not isinstance(chunk, DamageError)
        right = pixels[:, :, number * 512 : (number + 1) * 512]
        assert np.array_equal(chunk[:, :, : right.shape[2]], right)
    assert list(chunks) == [0, 1, 2]


def test_any_flipped_bit_is_damage_or_changes_no_pixel(tmp_path: Path) -> None:
    data, _ = shard(tmp_path / "a", 40, 40)
    (whole,) = (chunk for _, chunk in read_chunks(data, 1, (3, 40, 40)))
    unnoticed = []
    for bit in range(len(data) * 8):
        if 200 <= bit // 8 < len(data) - 60:
            continue  # the middle is alike
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            ((_, chunk),) = read_chunks(bytes(flipped), 1, (3, 40, 40))
        except DamageError:
            continue
        if not isinstance(chunk, DamageError):
            assert np.array_equal(chunk, whole)
            unnoticed.append(bit)
    # RFC 8878 leaves one bit of a frame's header unused
    assert unnoticed == [4 * 8 + 4]


def test_an_absent_chunk_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    array = zarr.create_array(
        store=str(tmp_path / "a"), shape=(3, 8, 16), chunks=(3, 8, 8), shards=(3, 8, 16),
        dtype="uint8", compressors=[zarr.codecs.ZstdCodec(level=1, checksum=True)],
    )  # fmt: skip
    array[:, :, :8] = 7  # zarr leaves out the chunk that holds only the fill value
    data = (tmp_path / "a/c/0/0/0").read_bytes()
    (_, first), (_, second) = read_chunks(data, 2, (3, 8, 8))
    assert isinstance(first, np.ndarray)
    assert isinstance(second, AbsentError)


def test_bytes_of_no_chunk_are_damage(tmp_path: Path) -> None:
    data, _ = shard(tmp_path / "a", 40, 40)
    with pytest.raises(DamageError, match="was cut or added to"):
        list(read_chunks(data[:-20] + b"?" + data[-20:], 1, (3, 40, 40)))
    index = (1).to_bytes(8, "little") + data[-12:-4]
    moved = b"?" + data[:-20] + index + google_crc32c.value(index).to_bytes(4, "little")
    with pytest.raises(DamageError, match="overlap or leave a gap at byte 0"):
        list(read_chunks(moved, 1, (3, 40, 40)))
    with pytest.raises(DamageError, match="too few for its index of 36"):
        list(read_chunks(data[:30], 2, (3, 40, 40)))


def test_a_frame_without_checksum_or_of_another_size_is_damage() -> None:
    with pytest.raises(DamageError, match="no zstd frame with a checksum"):
        decode(Zstd(level=1).encode(b"pixels"), 6)
    with pytest.raises(DamageError, match="no zstd frame"):
        decode(b"", 6)
    frame = Zstd(level=1, checksum=True).encode(b"pixels")
    assert decode(frame, 6) == b"pixels"
    with pytest.raises(DamageError, match="holds 6 bytes, not 7"):
        decode(frame, 7)
