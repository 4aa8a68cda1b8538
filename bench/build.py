"""`wsistore build` against bare decoding and against the usual way, on one generated 40× slide.

(a) `wsistore build`, all five levels, two workers (two copies of the slide, or `--slides`);
(b) only decoding the tiles that the crops cover, through tiffslide, same workers;
(c) the usual way, same workers: openslide `read_region`, Pillow `resize(LANCZOS)`, PNG files.

Memory: peak resident set of one worker on crops of 8,000² and 32,000² base pixels.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import openslide
import tiffslide
from PIL import Image

import wsistore
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.levels.magnification import DEFAULT_LEVELS
from wsistore.synthetic.render import write_slide

WORKERS = 2
REST = 20  # seconds
Job = tuple[Path, tuple[int, int, int, int], Path]


def slide_of(folder: Path, side: int) -> Path:
    """Return a generated 40× slide, mostly tissue, made once."""
    path = folder / f"tissue-{side}.svs"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        write_slide(path, size=side, mpp=0.25, label="inflamed", seed=1, coverage="full")
        print(f"generated {path} in {time.perf_counter() - started:.0f} s", flush=True)
    return path


def decode(job: Job) -> None:
    """(b): decode a box with tiffslide, in strips of its own tile rows."""
    path, (x, y, width, height), _ = job
    with tiffslide.TiffSlide(path) as slide:
        for top in range(y, y + height, 1024):
            slide.read_region((x, top), 0, (width, min(1024, y + height - top)), as_array=True)


def usual(job: Job) -> None:
    """(c): read_region in blocks, resize each whole level with Pillow, save PNGs."""
    path, (x, y, width, height), out = job
    with openslide.OpenSlide(path) as slide:
        whole = Image.new("RGB", (width, height))
        for top in range(0, height, 2048):
            for left in range(0, width, 2048):
                size = (min(2048, width - left), min(2048, height - top))
                part = slide.read_region((x + left, y + top), 0, size).convert("RGB")
                whole.paste(part, (left, top))
        for level, factor in zip(DEFAULT_LEVELS, (4, 8, 16, 32, 64), strict=True):
            small = whole.resize((width // factor, height // factor), Image.Resampling.LANCZOS)
            small.save(out / f"{path.stem}-{level}.png")


def warm(slides: list[Path]) -> None:
    """Let each way begin alike: all it reads in the page cache, the disk and processors at rest.

    Some machines reclaim pages that nobody has touched for a minute, and are a quarter slower for
    some seconds after work that takes ten gigabytes.
    """
    time.sleep(REST)
    for path in slides:
        path.read_bytes()
    subprocess.run([sys.executable, "-c", "import wsistore.build.ingest"], check=True)
    os.sync()  # or the disk would still be busy with what another way wrote


def in_processes(work: Callable[[Job], None], jobs: list[Job]) -> float:
    """Return the seconds that the jobs take in as many warm processes."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool:
        list(pool.map(time.sleep, [0.2] * WORKERS))  # start and import before the clock
        started = time.perf_counter()
        list(pool.map(work, jobs))
        return time.perf_counter() - started


def stored(slides: list[Path], out: Path) -> float:
    """Return the seconds of a build into a new store, process start included."""
    started = time.perf_counter()
    results = list(build(slides, out, BuildSettings(DEFAULT_LEVELS), workers=WORKERS))
    seconds = time.perf_counter() - started
    assert all(result.record.slide.outcome == "ok" for result in results)
    return seconds


def _peak_of_build(slide: Path, out: Path) -> float:
    shutil.rmtree(out, ignore_errors=True)
    list(build([slide], out, BuildSettings(DEFAULT_LEVELS, regions="whole"), workers=1))
    # not ru_maxrss: that of a new process begins with what its parent had
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def peak_mib(slide: Path, out: Path) -> float:
    """Return the peak resident set in MiB of a fresh process that builds one slide whole."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak_of_build, slide, out).result()


def main() -> None:
    """Run the benchmark; slides are kept in `bench-out/` for the next time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    parser.add_argument("--side", type=int, default=32_000, help="of the slide, in pixels")
    parser.add_argument("--slides", type=int, default=2, help="copies of it that are built")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs=2, default=(8_000, 32_000))
    options = parser.parse_args(sys.argv[1:] if __name__ == "__main__" else [])
    first = slide_of(options.out, options.side)
    copies = [first.with_name(f"copy-{n}-of-{first.name}") for n in range(1, options.slides)]
    slides = {path.stem: path for path in (first, *copies)}
    for path in copies:
        if not path.exists():
            shutil.copy(first, path)
    store, pictures = options.out / "store", options.out / "png"
    pictures.mkdir(exist_ok=True)
    times: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    files = [*slides.values()]
    shutil.rmtree(store, ignore_errors=True)
    stored(files[:1], store)  # compiles, where nothing has been compiled before
    for _ in range(options.rounds):
        shutil.rmtree(store)
        warm(files)
        times["a"].append(stored(files, store))
        crops = wsistore.open(store).crops
        boxes = crops[["x", "y", "width", "height"]].to_numpy(int).tolist()
        jobs: list[Job] = [
            (slides[slide], (x, y, width, height), pictures)
            for slide, (x, y, width, height) in zip(crops["slide"], boxes, strict=True)
        ]
        for key, work in (("b", decode), ("c", usual)):
            warm(files)
            times[key].append(in_processes(work, jobs))
    megapixels = (crops["width"] * crops["height"]).sum() / 1e6
    a, b, c = (statistics.median(times[key]) for key in "abc")
    print(f"crops: {len(crops)}, {megapixels:.0f} megapixels, {WORKERS} workers, medians")
    for key, name, seconds in (("a", "wsistore build", a), ("b", "decoding only", b),
                               ("c", "openslide + Pillow + PNG", c)):  # fmt: skip
        rounds = " ".join(f"{found:.1f}" for found in times[key])
        print(f"({key}) {name}: {seconds:.1f} s, {megapixels / seconds:.0f} MP/s (rounds {rounds})")
    ratios = [x / y for x, y in zip(times["a"], times["b"], strict=True)]
    print(f"a/b {statistics.median(ratios):.2f} (target ≤ 2.0)")
    ratios = [x / y for x, y in zip(times["c"], times["a"], strict=True)]
    print(f"c/a {statistics.median(ratios):.2f} (target ≥ 8)")
    small, large = (peak_mib(slide_of(options.out, side), store) for side in options.memory)
    print(
        f"peak memory of a worker: {small:.0f} MiB at {options.memory[0]}², "
        f"{large:.0f} MiB at {options.memory[1]}², {large / small - 1:+.0%}"
    )


if __name__ == "__main__":
    main()
