"""What is in a large cohort, from its tables: `wsistore info`, and opening and listing.

    python -m bench.info

A store of 20,000 crops (2,000 slides, 5 levels, a split) is made of its tables and metadata alone.
Each way is a fresh process, start and imports included: the median of `REPEATS`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import wsistore
from wsistore.build.builder import prepare
from wsistore.build.settings import BuildSettings
from wsistore.levels.magnification import DEFAULT_LEVELS, levels_of
from wsistore.split import SplitRequest, make_split, save_split
from wsistore.tables.index import write_index
from wsistore.tables.records import CropRow, LevelRow, SlideRecord, SlideRow

SLIDES, CROPS, PATIENTS = 2_000, 10, 1_000
CLASSES = ("chromophobe", "papillary", "clear cell")
REPEATS = 5
LIST = "import wsistore, sys; print(len(list(wsistore.open(sys.argv[1]).crops['crop'])))"


def record(number: int, rng: np.random.Generator) -> SlideRecord:
    """Return a slide of `CROPS` crops with plausible sizes."""
    slide, patient = f"slide-{number:05}", f"patient-{number % PATIENTS:04}"
    label = CLASSES[number % PATIENTS % len(CLASSES)]
    mpp = float(rng.choice([0.2501, 0.2527, 0.4990, 0.5035]))
    crops, levels = [], []
    for index in range(CROPS):
        width, height = (int(side) for side in rng.integers(2_000, 12_000, 2))
        crop = f"{slide}/{index}"
        crops.append(CropRow(crop, slide, patient, label, 0, 0, width, height, mpp, 1.5))
        for level in levels_of(mpp, DEFAULT_LEVELS):
            w, h = level.size(width, height)
            total, squares = 200 * w * h, 40_000 * w * h
            sums = (total, total, total, squares, squares, squares)
            scale = (level.factor, level.mpp)
            levels.append(LevelRow(crop, level.name, h, w, *scale, *sums, bytes=2 * w * h))
    row = SlideRow(
        slide, "ok", file=f"{slide}.svs", bytes=10**9, patient=patient, label=label, width=90_000,
        height=60_000, mpp=mpp, mpp_source="file", crops=CROPS, glass="#f4f4f4",
    )  # fmt: skip
    return SlideRecord(row, tuple(crops), tuple(levels))


def make_store(path: Path) -> None:
    """Make the store at ``path``, replacing what is there."""
    shutil.rmtree(path, ignore_errors=True)
    prepare(path, BuildSettings(DEFAULT_LEVELS))
    rng = np.random.default_rng(0)
    write_index(path, {row.slide.slide: row for row in (record(n, rng) for n in range(SLIDES))})
    crops = wsistore.open(path).crops
    save_split(path, "main", make_split(crops, SplitRequest())[""])


def seconds(*command: str) -> tuple[float, str]:
    """Return the median wall time of a command in a fresh process, and what it wrote."""
    times, output = [], ""
    for _ in range(REPEATS):
        start = time.perf_counter()
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        times.append(time.perf_counter() - start)
    return statistics.median(times), output


def main() -> None:
    """Run the benchmark; the store is kept in `bench-out/`."""
    path = Path("bench-out") / "tables"
    path.parent.mkdir(exist_ok=True)
    start = time.perf_counter()
    make_store(path)
    print(f"made a store of {SLIDES * CROPS:,} crops in {time.perf_counter() - start:.1f} s")
    command = (sys.executable, "-c", "from wsistore.cli.main import main; main()")
    info, output = seconds(*command, "info", str(path), "--json")
    listed, count = seconds(sys.executable, "-c", LIST, str(path))
    start_up, _ = seconds(sys.executable, "-c", "import wsistore")
    assert json.loads(output)["crops"] == int(count) == SLIDES * CROPS
    for what, taken, target in (
        ("wsistore info --json", info, "target < 2"),
        ("open, list the crops", listed, "target < 1"),
        ("import wsistore alone", start_up, "within both"),
    ):
        print(f"  {what:24} {taken:6.2f} s   ({target}; median of {REPEATS})")


if __name__ == "__main__":
    main()
