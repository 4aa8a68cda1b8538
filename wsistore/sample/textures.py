"""Periodic noise of one slide, drawn once and looked up everywhere."""

from dataclasses import dataclass

import numpy as np

from wsistore.sample.noise import Float, periodic_noise

FIBRE_SIDE = 1024


@dataclass(frozen=True, slots=True)
class Textures:
    """Periodic textures; those "on nodes" hold one value per lattice node.

    Their periods differ, so that no combination of them repeats within a slide's tissue.

    Attributes:
        warp_y, warp_x: on nodes, about 70 µm long: bends fibres.
        rough_y, rough_x: on nodes, 14 µm long: irregular outlines.
        patch: on nodes, 110 µm long: uneven stain.
        cluster: on nodes, 60 µm long: groups of cells.
        fibre: (1024, 1024) per pixel, flattened: long along x, for the stroma.
        grain: per pixel: cytoplasm.
        camera: per pixel: noise of the camera, in units of optical density.
    """

    warp_y: Float
    warp_x: Float
    rough_y: Float
    rough_x: Float
    patch: Float
    cluster: Float
    fibre: Float
    grain: Float
    camera: Float


def draw_textures(rng: np.random.Generator, mpp: float, step: int, noise: float) -> Textures:
    """Draw the textures of a slide of `mpp` µm per pixel with a lattice of `step` pixels."""
    node = mpp * step

    def on_nodes(side: int, length: float, slope: float = 1.5) -> Float:
        return periodic_noise(rng, (side, side), (length / node,) * 2, slope)

    side = (FIBRE_SIDE, FIBRE_SIDE)
    coarse = periodic_noise(rng, side, (2.2 / mpp, 13 / mpp), 1.3)
    fine = periodic_noise(rng, side, (0.8 / mpp, 3.5 / mpp), 1.0)
    fibre = np.tanh(0.75 * (0.7 * coarse + 0.6 * fine))
    return Textures(
        warp_y=on_nodes(648, 36, 2.0),
        warp_x=on_nodes(600, 36, 2.0),
        rough_y=on_nodes(500, 9, 2.0),
        rough_x=on_nodes(512, 9, 2.0),
        patch=on_nodes(625, 70, 1.5),
        cluster=on_nodes(576, 32, 1.8),
        fibre=fibre.astype(np.float32).ravel(),
        grain=periodic_noise(rng, (480, 480), (0.9 / mpp, 0.9 / mpp), 1.2),
        camera=(rng.standard_normal((486, 512)) * noise).astype(np.float32),
    )
