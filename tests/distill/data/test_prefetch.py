import contextlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

import wsistore
from distill.data import Stains, prefetch
from distill.data.dataset import Crops
from distill.data.pixel_transfer import (
    MemfdChannel,
    MemfdHandle,
    PipeChannel,
    Pixels,
    channel_type,
    send,
)
from distill.data.prefetch import Request, read_ahead, read_crops
from distill.errors import SubsetError
from tests.events import DEADLINE, ended, wait_until


class Slow:
    """A future that is done when it is asked for."""

    def __init__(self, result: object) -> None:
        self._result = result

    def result(self) -> object:
        return self._result

    def cancel(self) -> None:
        pass


class Pool:
    """Reads at once, and counts what has been asked for."""

    def __init__(self, sizes: list[int]) -> None:
        self.asked: list[str] = []
        self._sizes = sizes

    def submit(
        self,
        _: object,
        store: str,
        crop: str,
        levels: list[str],
        stains: Stains,
        place: MemfdHandle,
    ) -> Slow:
        size = self._sizes[len(self.asked)]
        self.asked.append(crop)
        return Slow(send({"10x": np.zeros(size, np.uint8)}, place))


def held(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], ahead: int
) -> tuple[list[int], list[int]]:
    """Return how many crops are asked for, and the bytes in memory, when each one arrives."""
    pool = Pool(sizes)
    monkeypatch.setattr(prefetch, "_pool", lambda workers: pool)
    requests = (Request("s", f"c{n}", ("10x",), size) for n, size in enumerate(sizes))
    found = [(len(pool.asked), sum(memory_files())) for _ in read_ahead(requests, 1, ahead)]
    assert not memory_files()
    return [asked for asked, _ in found], [size for _, size in found]


def memory_files() -> list[int]:
    """Return the bytes that each file in memory of this process takes."""
    found = []
    for number in os.listdir("/proc/self/fd") if sys.platform == "linux" else ():  # noqa: PTH208
        with contextlib.suppress(OSError):  # the one that lists the others
            if os.readlink(f"/proc/self/fd/{number}").startswith("/memfd:crop"):  # noqa: PTH115
                found.append(os.fstat(int(number)).st_blocks * 512)
    return found


@pytest.fixture(params=[MemfdChannel, PipeChannel])
def each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type:
    """Read both ways: by files in memory, and through pipes."""
    if request.param is MemfdChannel and channel_type() is not MemfdChannel:
        pytest.skip("files in memory are Linux's")
    monkeypatch.setattr(prefetch, "channel_type", lambda: request.param)
    return request.param


@pytest.mark.usefixtures("each_way")
def test_reading_ahead_is_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(monkeypatch, [10] * 6, ahead=30)[0] == [3, 4, 5, 6, 6, 6]
    assert held(monkeypatch, [10] * 3, ahead=1000)[0] == [3, 3, 3]
    # a crop larger than the bound comes alone, and stops none behind it
    assert held(monkeypatch, [10, 99, 10, 10], ahead=30)[0] == [1, 2, 4, 4]


def test_no_more_memory_is_taken_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    if channel_type() is not MemfdChannel:
        pytest.skip("files in memory are Linux's")
    page = os.sysconf("SC_PAGE_SIZE")
    sizes = [page * pages for pages in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 1, 1, 1, 1)]
    asked, taken = held(monkeypatch, sizes, ahead=10 * page)
    for number, (so_far, bytes_taken) in enumerate(zip(asked, taken, strict=True)):
        # the file of the crop that was given out is kept for the next
        assert bytes_taken == sum(sizes[number:so_far]) <= 10 * page
    assert max(taken) == 10 * page


def test_tiny_crops_are_bounded_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert held(monkeypatch, [0] * 100, ahead=1)[0][0] == 32


@pytest.mark.usefixtures("each_way")
def test_other_processes_read_the_same_pixels(real_store: Path) -> None:
    # all are held to the end: what comes later may not write over what came before
    crops = Crops(real_store, ["s2/0", "s0/0", "s5/0"], ["10x", "2.5x"])
    requests = list(crops.requests([1, 0, 2, 1, 0, 0, 2] * 3))
    assert [request.crop for request in requests[:3]] == ["s0/0", "s2/0", "s5/0"]
    assert requests[0].bytes == 3 * (96 * 80 + 24 * 20)
    store = wsistore.open(real_store)
    for workers, ahead in ((1, 2**30), (2, 40_000), (2, 1)):
        found: list[Pixels] = list(read_ahead(requests, workers, ahead))
        for request, pixels in zip(requests, found, strict=True):
            here = read_crops(store, request.crop, request.levels)
            assert list(pixels) == list(here) == ["10x", "2.5x"]
            for level, values in pixels.items():
                assert isinstance(values, np.ndarray)
                assert values.flags.writeable
                np.testing.assert_array_equal(values, here[level])


def test_no_file_stays_open(real_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = list(Crops(real_store, ["s0/0"] * 5, ["10x"]).requests(range(5)))
    missing = Request(real_store, "s0/0", ("40x",), 100)
    list(read_ahead(requests, 1))
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0  # noqa: PTH208
    for _ in range(20):
        list(read_ahead(requests, 1))
        stream = read_ahead(requests, 1)
        next(stream)
        stream.close()  # as a loop that stops early, or Ctrl-C
        with pytest.raises(wsistore.StoreError, match="no level 40x"):
            list(read_ahead([*requests, missing, *requests], 1))
    assert not memory_files()
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert len(list(read_ahead(requests, 1))) == 5


def test_a_lack_of_memory_in_a_reader_is_one_sentence(real_store: Path) -> None:
    if channel_type() is not MemfdChannel:
        pytest.skip("files in memory are Linux's")
    import resource

    requests = list(Crops(real_store, ["s0/0"], ["10x"]).requests([0]))
    list(read_ahead(requests, 1))
    (process,) = prefetch._pool(1)._processes
    limits = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(SubsetError, match=r"cannot be handed over.*smaller --read-ahead"):
            list(read_ahead(requests, 1))
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, limits)
    assert len(list(read_ahead(requests, 1))) == 1
    assert not memory_files()


def test_a_reader_that_dies_is_one_sentence_and_the_next_reads_again(real_store: Path) -> None:
    requests = list(Crops(real_store, ["s0/0"] * 3, ["10x"]).requests([0, 1, 2]))
    stream = read_ahead(requests, 1, ahead=1)
    next(stream)
    for process in prefetch._pool(1)._processes.values():
        process.kill()
        process.join()
    with pytest.raises(SubsetError, match=r"has died.*fewer --workers or a smaller --read-ahead"):
        list(stream)
    assert not memory_files()
    assert len(list(read_ahead(requests, 1))) == 3


def test_a_reader_that_dies_while_it_is_waited_for(real_store: Path) -> None:
    requests = list(Crops(real_store, ["s0/0"] * 9, ["10x"]).requests(range(9)))
    list(read_ahead(requests, 1))
    (process,) = prefetch._pool(1)._processes.values()
    os.kill(process.pid, signal.SIGSTOP)  # it takes what it is asked for, and never answers
    reader = threading.get_ident()

    def waited_for() -> bool:
        frame = sys._current_frames()[reader]
        waits = frame.f_code is threading.Condition.wait.__code__
        return waits and frame.f_back.f_code is Future.result.__code__

    def kill() -> None:
        wait_until(waited_for)
        process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SubsetError, match="has died"):
        next(read_ahead(requests, 1))
    killer.join()
    assert not memory_files()
    assert len(list(read_ahead(requests, 1))) == 9


ORPHANS = """
import sys, time
sys.path[:0] = {path!r}
from distill.data import prefetch
from distill.data.dataset import Crops
if __name__ == "__main__":
    requests = list(Crops({store!r}, ["s0/0"], ["10x"]).requests([0]))
    list(prefetch.read_ahead(requests, 1))
    print(*prefetch._pool(1)._processes, flush=True)
    while True:
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
    wait_until(lambda: ended(reader), "the reader is an orphan")


SHARED = """
import sys
sys.path[:0] = {path!r}
from distill.data.dataset import Crops
from distill.data.loader import SampleLoader
if __name__ == "__main__":
    with open("/proc/mounts") as mounts:
        assert "tmpfs /dev/shm tmpfs rw,relatime,size=64k" in mounts.read()
    samples = SampleLoader(Crops({store!r}, ["s2/0"] * 9, ["10x", "2.5x"]), None, 1)
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
    done = subprocess.run(run, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 9 * 3 * (80 * 128 + 20 * 32)
