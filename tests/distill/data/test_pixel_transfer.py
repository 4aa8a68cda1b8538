import os
import re
from pathlib import Path

import numpy as np
import pytest

from distill.data.pixel_transfer import MemfdChannel, PipeChannel, Pixels, channel_type, send
from distill.errors import SubsetError

pytestmark = pytest.mark.skipif(
    not hasattr(os, "memfd_create"), reason="files in memory are Linux's"
)


def crop(side: int, seed: int) -> Pixels:
    values = np.random.default_rng(seed).integers(0, 256, (3, side, side + 1), np.uint8)
    return {"10x": values, "2.5x": values[:, ::4, ::4].copy()}


def number(file: MemfdChannel) -> int:
    assert file.place is not None
    return int(file.place.path.name)


def test_both_ways_bring_what_was_put() -> None:
    # larger, smaller and larger again: nothing of an earlier crop may show
    crops = [crop(side, seed) for seed, side in enumerate((70, 300, 7, 300))]
    for hand in (MemfdChannel(), PipeChannel()):
        found = [hand.take(send(pixels, hand.place)) for pixels in crops]
        hand.close()
        for taken, pixels in zip(found, crops, strict=True):
            assert list(taken) == list(pixels)
            for level, values in pixels.items():
                np.testing.assert_array_equal(taken[level], values)
                assert taken[level].dtype == np.uint8
                assert taken[level].flags.writeable
                assert taken[level].flags.c_contiguous


def test_what_was_taken_is_the_callers_own() -> None:
    file = MemfdChannel()
    taken = file.take(send(crop(50, 0), file.place))
    send({level: np.zeros_like(values) for level, values in taken.items()}, file.place)
    file.close()
    np.testing.assert_array_equal(taken["10x"], crop(50, 0)["10x"])


def test_memory_that_is_not_needed_is_given_back() -> None:
    file = MemfdChannel()
    send(crop(300, 0), file.place)
    file.fit(5000)
    assert os.fstat(number(file)).st_blocks * 512 == 8192
    file.fit(10**9)
    assert os.fstat(number(file)).st_blocks * 512 == 8192
    file.close()


def test_a_file_that_is_shorter_than_told_is_no_crop() -> None:
    file = MemfdChannel()
    send({"10x": np.zeros((3, 4, 5), np.uint8)}, file.place)
    with pytest.raises(EOFError, match="shorter"):
        file.take({"10x": (3, 4, 6)})
    file.close()


def test_a_file_that_took_the_number_of_a_closed_one_is_left_alone(tmp_path: Path) -> None:
    file = MemfdChannel()
    place, old = file.place, number(file)
    file.close()
    with pytest.raises(SubsetError, match="No such file"):
        send(crop(9, 0), place)
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"mine")
    with foreign.open("r+b") as opened:
        os.dup2(opened.fileno(), old)
        with pytest.raises(SubsetError, match="another file by now"):
            send(crop(9, 0), place)
        if opened.fileno() != old:
            os.close(old)
    assert foreign.read_bytes() == b"mine"


def test_no_memory_and_no_more_files_are_one_sentence() -> None:
    import resource

    sentence = re.compile(
        r"^a crop that was read ahead cannot be handed over \(\[Errno \d+\] .*\); "
        r"choose a smaller --read-ahead, fewer --workers, or --workers 0$"
    )
    file = MemfdChannel()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(SubsetError, match=sentence):  # the system writes so far and no further
            send(crop(300, 0), file.place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        file.close()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        with pytest.raises(SubsetError, match=sentence):
            MemfdChannel()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_files_are_used_where_other_processes_can_open_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert channel_type() is MemfdChannel
    monkeypatch.setattr(Path, "readlink", lambda path: Path("1000001"))  # an outer container's
    assert channel_type() is PipeChannel

    def missing(path: Path) -> Path:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "readlink", missing)
    assert channel_type() is PipeChannel
    monkeypatch.undo()
    monkeypatch.delattr(os, "memfd_create")
    assert channel_type() is PipeChannel
