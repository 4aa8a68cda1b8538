"""One synthetic slide, from its arguments to its file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wsistore.errors import UsageError
from wsistore.files import atomic
from wsistore.sample.render import Renderer
from wsistore.sample.scene import draw_scene
from wsistore.sample.tiff import Scan, write_pyramid

SMALLEST = 256


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Yield a path in a folder of its own beside `path`; it is renamed to `path` on success."""
    with atomic.aside(path) as folder:
        folder.mkdir()
        yield folder / path.name
        atomic.publish(folder / path.name, path)


def write_slide(
    path: Path,
    *,
    size: int = 4096,
    mpp: float = 0.5,
    label: str = "normal",
    seed: int = 0,
    patient: int = 0,
    slide: int = 0,
    pieces: int | None = None,
    coverage: str = "pieces",
    hard: str | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write one synthetic slide, and return its path.

    The pixels are a function of all arguments but `path`. The file is written under a temporary
    name in its folder, and renamed when it is complete.

    Args:
        path: the `.svs` file to write.
        size: width and height of level 0 in pixels.
        mpp: µm per pixel; the objective power that goes into the file is 10 / mpp, rounded.
        label: one of `wsistore.sample.CLASSES`.
        seed, patient, slide: counters that name the random streams, non-negative.
        pieces: pieces of tissue; by default 3 per 2 mm of side.
        coverage: "pieces", or "full" for one section over nearly the whole slide.
        hard: None, or one of "pale", "pen", "edge", "no-mpp".
        overwrite: whether to replace an existing file.
        progress: called with numbers of finished level-0 pixels.

    Raises:
        UsageError: for a value out of range or a file that exists.
    """
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists: choose another name or add overwrite")
    check(size=size, mpp=mpp, seed=min(seed, patient, slide), pieces=pieces)
    scene = draw_scene(
        (seed, patient, slide), size * mpp, label, pieces=pieces, coverage=coverage, hard=hard
    )
    silent = hard == "no-mpp"
    scan = Scan(size, None if silent else mpp, None if silent else float(round(10 / mpp)))
    with aside(path) as unfinished:
        write_pyramid(unfinished, Renderer(scene, mpp).region, scan, progress)
    return path


def check(
    *,
    size: int,
    mpp: float,
    seed: int,
    pieces: int | None,
) -> None:
    """Raise UsageError unless a slide can be drawn with these values."""
    if size < SMALLEST:
        raise UsageError(f"--size {size} is too small: a slide is at least {SMALLEST} pixels wide")
    if not 0.1 <= mpp <= 4:
        raise UsageError(f"--mpp {mpp:g} is out of range: choose 0.1 to 4 µm per pixel")
    if seed < 0:
        raise UsageError(f"--seed {seed} is negative: choose 0 or more")
    if pieces is not None and not 0 <= pieces <= 1000:
        raise UsageError(f"--pieces {pieces} is out of range: choose 0 to 1000")
