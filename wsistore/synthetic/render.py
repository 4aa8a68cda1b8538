"""From a scene to pixels: stain densities, Beer-Lambert absorption, optics and camera."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import UsageError
from wsistore.files import atomic
from wsistore.synthetic.lattice import Window, draw_textures, tiled, upsample
from wsistore.synthetic.noise import Float
from wsistore.synthetic.scene.pen import ink
from wsistore.synthetic.scene.scene import Domain, Scene, draw_scene
from wsistore.synthetic.tiff import Scan, write_pyramid
from wsistore.synthetic.tissue.densities import Tissue
from wsistore.synthetic.tissue.fields import Painter
from wsistore.synthetic.tissue.sprites import draw_atlas

SMALLEST = 256

_NODE = 2.0
"""Distance between lattice nodes in µm, rounded to whole pixels."""


class Renderer:
    """Renders regions of one scene.

    A pixel is a function of the scene and its coordinates alone: a region rendered whole equals
    the same region rendered in tiles, bit for bit.

    Args:
        scene: the slide.
        mpp: µm per pixel.
    """

    def __init__(self, scene: Scene, mpp: float) -> None:
        # freeing one large block tells glibc's malloc to keep freed memory of up to twice its size;
        # without it, every array of a region is fetched from the kernel anew, at half the speed
        np.empty(24 << 20, np.uint8)
        self._scene, self._mpp = scene, mpp
        self._step = max(1, round(_NODE / mpp))
        self._textures = draw_textures(
            scene.stream(Domain.TEXTURE), mpp, self._step, scene.stain.noise
        )
        self._atlas = draw_atlas(scene.key[0], mpp)
        self._painter = Painter(scene, self._textures, mpp, self._step)
        self._margin = -(-self._atlas.radius // self._step) + 2
        self._tissue = Tissue(self._textures, self._atlas, mpp, self._step, self._margin)

    def region(self, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return the pixels [y, y + height) × [x, x + width), uint8 (height, width, 3) RGB."""
        window, crop = self._window(x, y, width, height)
        shade = self._shade(x, y, width, height)
        fields = self._painter.paint(window)
        strokes = ink(self._scene.strokes, window, self._mpp * self._step, self._textures)
        out = np.empty((height, width, 3), np.uint8)
        stains: list[tuple[Float, tuple[float, float, float]]] = []
        if fields is not None:
            eosin, haematoxylin = self._tissue.stains(window, fields)
            stain = self._scene.stain
            stains = [
                (self._optics(haematoxylin, crop), stain.haematoxylin),
                (self._optics(eosin, crop), stain.eosin),
            ]
        for density, absorption in strokes:
            inner = density[self._margin : -self._margin, self._margin : -self._margin]
            stains.append((self._optics(upsample(inner, self._step), crop), absorption))
        for channel in range(3):
            total = shade
            for density, absorption in stains:
                total = total + density * np.float32(absorption[channel])
            light = np.exp(-total) * np.float32(self._scene.stain.glass[channel])
            out[:, :, channel] = np.minimum(light + np.float32(0.5), np.float32(255))
        return out

    def _window(
        self, x: int, y: int, width: int, height: int
    ) -> tuple[Window, tuple[int, int, int, int]]:
        """Return the nodes around a region, and the region's place in the pixels between them.

        The window has `margin` nodes on each side for sprites that reach in; the pixels begin
        one or more before the region, for the blur.
        """
        step, margin = self._step, self._margin
        top, left = (y - 1) // step, (x - 1) // step
        bottom, right = -(-(y + height + 1) // step), -(-(x + width + 1) // step)
        rows, columns = bottom - top + 1 + 2 * margin, right - left + 1 + 2 * margin
        window = Window(top - margin, left - margin, rows, columns)
        return window, (y - top * step, x - left * step, height, width)

    def _shade(self, x: int, y: int, width: int, height: int) -> Float:
        """Return the optical density of illumination and camera noise, (height, width)."""
        rows, columns = np.arange(y, y + height), np.arange(x, x + width)
        side = self._scene.side / self._mpp
        slope_y, slope_x = self._scene.stain.shading
        down = (slope_y * (2 * rows / side - 1)).astype(np.float32)
        across = (slope_x * (2 * columns / side - 1)).astype(np.float32)
        noise = tiled(self._textures.camera, rows, columns)
        noise += down[:, None]
        noise += across[None, :]
        return noise

    def _optics(self, density: Float, crop: tuple[int, int, int, int]) -> Float:
        """Blur with the weights b, 1 - 2b, b along both axes, and cut the region out."""
        top, left, height, width = crop
        weight = np.float32(self._scene.stain.blur)
        middle = np.float32(1 - 2 * self._scene.stain.blur)
        part = density[top - 1 : top + height + 1, left - 1 : left + width + 1]
        down = part[:-2] + part[2:]
        down *= weight
        down += part[1:-1] * middle
        blurred = down[:, :-2] + down[:, 2:]
        blurred *= weight
        blurred += down[:, 1:-1] * middle
        return np.asarray(blurred, dtype=np.float32)


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
        label: one of `wsistore.synthetic.CLASSES`.
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
    write_scene(path, scene, size, mpp, silent=hard == "no-mpp", progress=progress)
    return path


def write_scene(
    path: Path,
    scene: Scene,
    size: int,
    mpp: float,
    *,
    silent: bool = False,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write a scene as a slide, in the place of what is there.

    Args:
        path: the `.svs` file to write.
        scene: the slide; its side is size × mpp.
        size: width and height of level 0 in pixels.
        mpp: µm per pixel; the objective power that goes into the file is 10 / mpp, rounded.
        silent: whether the file says neither.
        progress: called with numbers of finished level-0 pixels.
    """
    scan = Scan(size, None if silent else mpp, None if silent else float(round(10 / mpp)))
    with aside(path) as unfinished:
        write_pyramid(unfinished, Renderer(scene, mpp).region, scan, progress)


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
