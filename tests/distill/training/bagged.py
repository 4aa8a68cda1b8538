"""A store of slides of several crops, and vectors in which one crop of a slide tells its class."""

from pathlib import Path

import numpy as np

import wsistore
from distill.embeddings import TileRule
from distill.embeddings.schema import EmbeddingsMetadata, embedded_crops
from distill.embeddings.writer import EmbeddingsWriter
from tests.distill.evaluating import make_store

CHANNELS, PUSH, TILE = 8, 5.0, 16
OPTIONS = {"embed_dim": CHANNELS, "num_heads": 2, "img_size": TILE}
Row = tuple[str, str, str, str, str]
SUBSETS = ("train", "train", "train", "val", "test")


def cohort(slides: int = 40) -> list[Row]:
    """Two slides a patient, 2 to 4 crops a slide, classes by turns of patients."""
    found = []
    for number in range(slides):
        patient = number // 2
        label, subset = "ab"[patient % 2], SUBSETS[patient % len(SUBSETS)]
        found += [
            (f"s{number}/{k}", f"s{number}", f"p{patient}", label, subset)
            for k in range(2 + number % 3)
        ]
    return found


def small_store(path: Path, rows: list[Row]) -> Path:
    """Crops of one to six tiles."""
    return make_store(path, rows, lambda n: (16 + 16 * (n % 3), 16 + 16 * (n % 2)))


def write_vectors(path: Path, store: Path, rows: list[Row], views: str = "plain") -> Path:
    """Noise; in slides of class b one tile of one crop has its first channel raised.

    In the other slides all tiles together are raised by as much, so that no mean tells them apart.
    """
    opened, rule = wsistore.open(store), TileRule(TILE)
    crops = embedded_crops(opened, [row[0] for row in rows], "10x", rule, views)
    about = EmbeddingsMetadata(
        network="timm/test_vit", network_settings={"options": OPTIONS}, weights_sha256="0" * 64,
        weights={"by": "name", "prefix": "", "matched": 1, "unused": []}, pool="network",
        level="10x", mpp=1.01, tile=TILE, overlap=0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2),
        precision="fp32", views=views, channels=CHANNELS, batch_size=32,
    )  # fmt: skip
    draw = np.random.default_rng(3)
    count = {"plain": 1, "eight": 8}[views]
    of_slide: dict[str, int] = {}
    for crop, (_, slide, *_) in zip(crops, rows, strict=True):
        of_slide[slide] = of_slide.get(slide, 0) + crop.cells
    vectors, raised = [], set()
    for crop, (_, slide, _, label, _) in zip(crops, rows, strict=True):
        for _ in range(count):
            own = 0.1 * draw.normal(size=(crop.cells, CHANNELS))
            if label != "b":
                own[:, 0] += PUSH / of_slide[slide]
            elif slide not in raised:
                own[0, 0] += PUSH
            vectors.append(own)
        raised.add(slide)
    with EmbeddingsWriter(path, about, crops) as writer:
        writer.add(0, np.concatenate(vectors).astype(np.float32))
    return path
