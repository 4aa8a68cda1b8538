"""Small crops of two classes, in a store in memory (which can be odd) and in a real one."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from click.testing import Result

import wsistore
from distill.networks import resolve_device
from tests.distill import commands
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.slides.labels import Label
from wsistore.split import save_split

LEVELS = {"10x": 1, "2.5x": 4}
SIZES = [(96, 80), (64, 64), (80, 128), (72, 60), (64, 96), (60, 60), (96, 64)]
CLASSES = [("coarse", 16), ("fine", 2)]
SUBSETS = ["train", "train", "train", "train", "train", "val", "val"]


class FakeCrop(dict[str, np.ndarray]):
    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(self)


class FakeStore:
    def __init__(self, path: Path) -> None:
        self.path, self.url = path, str(path)
        self.level_names = tuple(LEVELS)
        self._crops: dict[str, FakeCrop] = {}
        self._table = pd.DataFrame(columns=["crop", "slide", "patient", "label", "subset"])
        self.levels = pd.DataFrame()
        (path / "splits").mkdir(parents=True)
        self.settings = {"levels": list(LEVELS)}
        attributes = {"attributes": {"wsistore": self.settings}}
        (path / "zarr.json").write_text(json.dumps(attributes))

    def add(self, crop: str, label: str | None, subset: str, levels: dict[str, np.ndarray]) -> None:
        """Add a crop; levels are (3, H, W) uint8."""
        self._crops[crop] = FakeCrop(levels)
        slide = crop.split("/")[0]
        self._table.loc[len(self._table)] = [crop, slide, slide, label or np.nan, subset]
        self._table.to_csv(self.path / "splits" / "main.csv", index=False)
        rows = []
        for name, pixels in levels.items():
            wide = pixels.astype(np.int64)
            row = {"crop": crop, "level": name, "height": wide.shape[1], "width": wide.shape[2]}
            row |= {"factor": LEVELS[name], "mpp": LEVELS[name] * (1 + 0.001 * len(self._crops))}
            for channel, values in zip("rgb", wide, strict=True):
                row |= {f"sum_{channel}": values.sum(), f"sumsq_{channel}": (values**2).sum()}
            rows.append(row)
        self.levels = pd.concat([self.levels, pd.DataFrame(rows)], ignore_index=True)

    @property
    def slides(self) -> pd.DataFrame:
        slides = self._table["slide"].drop_duplicates()
        return pd.DataFrame({"slide": slides, "fingerprint": slides})

    @property
    def crops(self) -> pd.DataFrame:
        return self._table.reindex(columns=["crop", "slide", "patient", "label"])

    def split_sha256(self, name: str) -> str:
        return hashlib.sha256((self.path / "splits" / f"{name}.csv").read_bytes()).hexdigest()

    def settings_sha256(self) -> str:
        text = json.dumps(self.settings, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def class_map(self, split: str) -> wsistore.ClassMap:
        return wsistore.ClassMap()

    def split(self, name: str) -> pd.DataFrame:
        if name != "main":
            raise wsistore.WsistoreError(f"no split {name}; there is: main")
        return self._table

    def subset(self, split: str, name: str) -> pd.DataFrame:
        rows = self.split(split)
        if not (rows["subset"] == name).any():
            there = ", ".join(rows["subset"].unique())
            raise wsistore.StoreError(
                f"split {split} has no {name!r} (it has {there or 'no crops'})"
            )
        return rows[rows["subset"] == name]

    def __getitem__(self, crop: str) -> FakeCrop:
        return self._crops[crop]


def crop_levels(size: tuple[int, int], grain: int, seed: int) -> dict[str, np.ndarray]:
    """Random squares of `grain` pixels, and their mean over 4 × 4 pixels."""
    rng = np.random.default_rng(seed)
    height, width = size
    cells = rng.integers(40, 240, (3, -(-height // grain), -(-width // grain)))
    pixels = cells.repeat(grain, 1).repeat(grain, 2)[:, :height, :width]
    blocks = pixels[:, : height // 4 * 4, : width // 4 * 4]
    low = blocks.reshape(3, height // 4, 4, width // 4, 4).mean((2, 4)).round()
    return {"10x": pixels.astype(np.uint8), "2.5x": low.astype(np.uint8)}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Each device on which a test shall hold, as the commands take it."""
    return resolve_device(request.param)


@pytest.fixture
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """A store without crops; `wsistore.open` returns it for any path."""
    store = FakeStore(tmp_path / "store")
    monkeypatch.setattr(wsistore, "open", lambda path: store)
    return store


@pytest.fixture
def store(empty_store: FakeStore) -> FakeStore:
    """Five train and two val crops of the classes coarse and fine."""
    for number, (size, subset) in enumerate(zip(SIZES, SUBSETS, strict=True)):
        label, grain = CLASSES[number % 2]
        empty_store.add(f"s{number}/0", label, subset, crop_levels(size, grain, number))
    return empty_store


def _build(folder: Path, sizes: Sequence[tuple[int, int]]) -> Path:
    slides, subsets = [], {}
    labels = {}
    for number, (size, subset) in enumerate(zip(sizes, SUBSETS, strict=True)):
        label, grain = CLASSES[number % 2]
        path = folder / f"s{number}.tif"
        pixels = np.moveaxis(crop_levels(size, grain, number)["10x"], 0, -1)
        tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64))
        slides.append(path)
        labels[path.stem] = Label(f"p{number}", label)
        subsets[path.stem] = subset
    settings = BuildSettings(tuple(LEVELS), regions="whole")
    results = list(build(slides, folder / "store", settings, labels, mpp=1.0, workers=0))
    assert [result.record.slide.outcome for result in results] == ["ok"] * len(sizes)
    crops = wsistore.open(folder / "store").crops
    split = crops.assign(subset=crops["slide"].map(subsets))
    save_split(folder / "store", "main", split[["crop", "slide", "patient", "label", "subset"]])
    return folder / "store"


@pytest.fixture(scope="session")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same crops as `store`, each a slide of 1 µm/px, built by wsistore."""
    return _build(tmp_path_factory.mktemp("real"), SIZES)


@pytest.fixture(scope="session")
def wide_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `real_store`, with crops whose feature maps at 2.5× have more than one cell."""
    return _build(tmp_path_factory.mktemp("wide"), [(2 * h + 40, 3 * w) for h, w in SIZES])


@pytest.fixture
def distill() -> Callable[..., Result]:
    """The command line, in this process."""
    return commands.distill


@pytest.fixture
def train() -> Callable[..., Result]:
    """`distill train KIND STORE --out OUT …`, two epochs, which must succeed."""
    return commands.train
