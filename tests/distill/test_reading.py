import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import wsistore
from distill import reading
from distill.errors import SubsetError
from distill.pairs import Crops
from distill.reading import Pixels, Request, read, read_ahead


class Slow:
    """A future that is done when it is asked for."""

    def __init__(self, result: object) -> None:
        self._result = result

    def result(self) -> object:
        return self._result

    def cancel(self) -> None:
        pass


class Pool:
    """Counts what has been handed over and not been taken yet."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def submit(self, _: object, store: str, crop: str, levels: tuple[str, ...]) -> Slow:
        self.asked.append(crop)
        return Slow({"10x": np.zeros(1, np.uint8)})


def held(monkeypatch: pytest.MonkeyPatch, sizes: list[int], ahead: int) -> list[int]:
    """Return how many crops are asked for when each one arrives."""
    pool = Pool()
    monkeypatch.setattr(reading, "_pool", lambda workers: pool)
    requests = (Request("s", f"c{n}", ("10x",), size) for n, size in enumerate(sizes))
    return [len(pool.asked) for _ in read_ahead(requests, 1, ahead)]


def test_reading_ahead_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(monkeypatch, [10] * 6, ahead=30) == [3, 4, 5, 6, 6, 6]
    assert held(monkeypatch, [10] * 3, ahead=1000) == [3, 3, 3]
    # a crop larger than the bound comes alone, and stops none behind it
    assert held(monkeypatch, [10, 99, 10, 10], ahead=30) == [1, 2, 4, 4]


def test_tiny_crops_are_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(monkeypatch, [0] * 100, ahead=1)[0] == 32


def test_other_processes_read_the_same_pixels(real_store: Path) -> None:
    crops = Crops(real_store, ["s2/0", "s0/0"], ["10x", "2.5x"])
    requests = list(crops.requests([1, 0, 1]))
    assert [request.crop for request in requests] == ["s0/0", "s2/0", "s0/0"]
    assert requests[0].bytes == 3 * (96 * 80 + 24 * 20)
    found: list[Pixels] = list(read_ahead(requests, 1))
    store = wsistore.open(real_store)
    for request, pixels in zip(requests, found, strict=True):
        here = read(store, request.crop, request.levels)
        assert list(pixels) == list(here) == ["10x", "2.5x"]
        for level, values in pixels.items():
            assert isinstance(values, np.ndarray)
            assert values.flags.writeable
            np.testing.assert_array_equal(values, here[level])


def test_a_reader_that_dies_is_one_sentence_and_the_next_reads_again(real_store: Path) -> None:
    requests = list(Crops(real_store, ["s0/0"] * 3, ["10x"]).requests([0, 1, 2]))
    stream = read_ahead(requests, 1, ahead=1)
    next(stream)
    for process in reading._pool(1)._processes.values():
        process.kill()
        process.join()
    with pytest.raises(SubsetError, match=r"has died.*fewer --workers or a smaller --read-ahead"):
        list(stream)
    assert len(list(read_ahead(requests, 1))) == 3


ORPHANS = """
import sys, time
sys.path[:0] = {path!r}
from distill import reading
from distill.pairs import Crops
if __name__ == "__main__":
    requests = list(Crops({store!r}, ["s0/0"], ["10x"]).requests([0]))
    list(reading.read_ahead(requests, 1))
    print(*reading._pool(1)._processes, flush=True)
    time.sleep(99)
"""


def test_readers_end_with_the_process_they_read_for(real_store: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(ORPHANS.format(path=sys.path, store=str(real_store)))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        reader = int(parent.stdout.readline())
        os.kill(reader, 0)
        parent.kill()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(reader) and psutil.Process(reader).status() != "zombie":
        assert time.monotonic() < deadline, "the reader is an orphan"
        time.sleep(0.05)


SHARED = """
import sys
sys.path[:0] = {path!r}
from distill.pairs import Crops, Samples
if __name__ == "__main__":
    with open("/proc/mounts") as mounts:
        assert "tmpfs /dev/shm tmpfs rw,relatime,size=64k" in mounts.read()
    samples = Samples(Crops({store!r}, ["s2/0"] * 9, ["10x", "2.5x"]), None, 1)
    print(sum(image.numel() for s in samples.epoch(1) for image in s.images.values()))
"""


def test_crops_larger_than_shared_memory_arrive(real_store: Path, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("shared memory is made small by Linux's mount namespaces")
    script = tmp_path / "script.py"
    script.write_text(SHARED.format(path=sys.path, store=str(real_store)))
    small = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    private = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if subprocess.run([*private, small], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make /dev/shm small")
    run = [*private, f"{small} && exec {sys.executable} {script}"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 9 * 3 * (80 * 128 + 20 * 32)
