"""`distill embed`: what is stored is what the network says, of each crop alone."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

import wsistore
from distill.data import ChannelStats, Sample, network_input
from distill.embeddings import (
    EmbeddingsReader,
    EmbedSettings,
    TileRule,
    build_head,
    embed,
)
from distill.embeddings.tiled import TiledClassifier
from distill.embeddings.views import seen
from distill.errors import EmbeddingsError, UsageError
from distill.networks import (
    NetworkSettings,
    NetworkSpec,
    TileEncoder,
    build_encoder,
    fill_backbone,
    read_tensors,
)
from distill.runs import sha256
from tests.distill.embeddings.weights import CNN, VIT, pretrained

pytest.importorskip("timm", reason="timm is an optional extra")
ANY_SIZE = {VIT: {"dynamic_img_size": True}, CNN: {}}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("weights")
    return {name: pretrained(home, name) for name in (VIT, CNN)}


def settings(store: Path, file: Path, out: Path, name: str, **more: object) -> EmbedSettings:
    architecture = NetworkSettings.of(NetworkSpec(name, ANY_SIZE[name]))
    given = {"level": "10x", "tile": 64, "device": "cpu", "threads": 1, **more}
    return EmbedSettings(store, out, file, architecture=architecture, **given)  # type: ignore[arg-type]


def made(store: Path, file: Path, out: Path, name: str, **more: object) -> EmbeddingsReader:
    embed(settings(store, file, out, name, **more), lambda _: None)
    return EmbeddingsReader(out)


def filled(name: str, file: Path) -> TileEncoder:
    encoder = build_encoder(NetworkSpec(name, ANY_SIZE[name]))
    fill_backbone(encoder.backbone, read_tensors(file), file, name)
    return encoder


def bytes_of(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", [VIT, CNN])
@pytest.mark.parametrize("views", ["plain", "eight"])
def test_stored_is_online(
    wide_store: Path, tmp_path: Path, files: dict[str, Path], name: str, views: str
) -> None:
    """Every crop, every view: by itself through the whole network, and as stored."""
    reader = made(wide_store, files[name], tmp_path / "emb", name, views=views, overlap=16)
    store, encoder = wsistore.open(wide_store), filled(name, files[name])
    rule, channels = TileRule(64, 16), reader.about.channels
    whole = TiledClassifier(encoder, build_head("attention", channels, 3, seed=1), rule)
    standard = ChannelStats(*encoder.figures)
    assert reader.views == {"plain": 1, "eight": 8}[views]
    for crop in store.crops["crop"]:
        pixels = torch.from_numpy(np.asarray(store[crop]["10x"]))
        for view in range(reader.views):
            turned = seen(pixels, view)
            grid = reader.grid(crop, view)
            assert grid.shape[2:] == rule.cells(*turned.shape[1:])
            with torch.no_grad():
                found = whole(network_input(turned, None, standard, torch.device("cpu")))
                logits = whole.head.classify(grid)
            torch.testing.assert_close(grid, found.features, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(logits, found.logits, rtol=1e-4, atol=1e-5)


def test_a_cell_is_the_tile_of_its_place(
    wide_store: Path, tmp_path: Path, files: dict[str, Path]
) -> None:
    reader = made(wide_store, files[CNN], tmp_path / "emb", CNN)
    pixels = torch.from_numpy(np.asarray(wsistore.open(wide_store)["s0/0"]["10x"]))
    height, width = pixels.shape[1:]
    encoder = filled(CNN, files[CNN])
    standard = ChannelStats(*encoder.figures)
    last = pixels[:, height - 64 : height, width - 64 : width]
    with torch.no_grad():
        wanted = encoder(network_input(last, None, standard, torch.device("cpu")))[0]
    torch.testing.assert_close(reader.grid("s0/0")[0, :, -1, -1], wanted, rtol=1e-4, atol=1e-5)


def test_no_vector_depends_on_what_is_beside_it(
    wide_store: Path, tmp_path: Path, files: dict[str, Path]
) -> None:
    for name in (VIT, CNN):
        readers = [
            made(wide_store, files[name], tmp_path / f"{name[5:]}-{size}", name, batch_size=size)
            for size in (1, 7, 64)
        ]
        for crop in ("s0/0", "s6/0"):
            one, *others = (reader.bag(crop) for reader in readers)
            for other in others:
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


class CutError(Exception):
    pass


def cut_after(crops: int) -> object:
    def watch(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
        for number, sample in enumerate(samples):
            if number == crops:
                raise CutError
            yield sample

    return watch


@pytest.mark.parametrize("shard_bytes", [2**25, 2**12])
def test_a_pass_that_was_cut_goes_on_to_the_same_bytes(
    wide_store: Path,
    tmp_path: Path,
    files: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    shard_bytes: int,
) -> None:
    monkeypatch.setattr("distill.embeddings.writer.SHARD_BYTES", shard_bytes)
    monkeypatch.setattr("distill.embeddings.writer.CHUNK_BYTES", 2**10)
    more = {"views": "eight", "batch_size": 5}
    made(wide_store, files[VIT], tmp_path / "whole", VIT, **more)
    asked = settings(wide_store, files[VIT], tmp_path / "cut", VIT, **more)
    said: list[str] = []
    for crops in (2, 3):
        with pytest.raises(CutError):
            embed(asked, said.append, cut_after(crops))  # type: ignore[arg-type]
        assert not (tmp_path / "cut").exists()
    embed(asked, said.append)
    assert "of them done before" in said[-2]
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")
    assert list(tmp_path.glob("cut*")) == [tmp_path / "cut"]


def test_what_was_begun_with_something_else_does_not_go_on(
    wide_store: Path, tmp_path: Path, files: dict[str, Path]
) -> None:
    with pytest.raises(CutError):
        embed(settings(wide_store, files[VIT], tmp_path / "emb", VIT), print, cut_after(1))  # type: ignore[arg-type]
    for more, said in (
        ({"overlap": 8}, "overlap 0, not 8"),
        ({"batch_size": 3}, "batch_size 32, not 3"),
        ({"split": "main", "subset": "val"}, "split None, not main"),
    ):
        with pytest.raises(UsageError, match=said):
            made(wide_store, files[VIT], tmp_path / "emb", VIT, **more)


def test_a_subset_alone_and_what_is_recorded(
    wide_store: Path, tmp_path: Path, files: dict[str, Path]
) -> None:
    more = {"split": "main", "subset": "val", "precision": "bf16"}
    reader = made(wide_store, files[CNN], tmp_path / "emb", CNN, **more)
    about = reader.about
    assert (about.network, about.level, about.tile, about.precision) == (CNN, "10x", 64, "bf16")
    assert about.weights_sha256 == sha256(files[CNN])
    assert about.weights["prefix"] == "model."
    assert about.mpp == 1
    reader.require(wsistore.open(wide_store), ["s5/0", "s6/0"])
    with pytest.raises(EmbeddingsError, match="no vectors of crop s0/0 and 1 more"):
        reader.require(wsistore.open(wide_store), ["s0/0", "s1/0", "s5/0"])
    exact = made(wide_store, files[CNN], tmp_path / "exact", CNN, split="main", subset="val")
    difference = (exact.bag("s5/0") - reader.bag("s5/0")).abs().max()
    assert 0 < difference < 0.05 * exact.bag("s5/0").abs().max()


def test_workers_and_held_bytes_change_nothing(
    wide_store: Path, tmp_path: Path, files: dict[str, Path]
) -> None:
    made(wide_store, files[CNN], tmp_path / "one", CNN)
    made(wide_store, files[CNN], tmp_path / "two", CNN, workers=1)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    held, sliced = EmbeddingsReader(tmp_path / "one"), EmbeddingsReader(tmp_path / "one", 0)
    for crop in ("s0/0", "s3/0"):
        assert torch.equal(held.bag(crop), sliced.bag(crop))


def test_a_level_too_small_for_a_tile_has_one_that_is_filled_with_white(
    wide_store: Path, tmp_path: Path, files: dict[str, Path]
) -> None:
    reader = made(wide_store, files[CNN], tmp_path / "emb", CNN, level="2.5x", tile=96)
    pixels = torch.from_numpy(np.asarray(wsistore.open(wide_store)["s0/0"]["2.5x"]))
    assert max(pixels.shape[1:]) < 96
    white = torch.full((3, 96, 96), 255, dtype=torch.uint8)
    white[:, : pixels.shape[1], : pixels.shape[2]] = pixels
    encoder = filled(CNN, files[CNN])
    with torch.no_grad():
        wanted = encoder(
            network_input(white, None, ChannelStats(*encoder.figures), torch.device("cpu"))
        )
    assert reader.grid("s0/0").shape[2:] == (1, 1)
    torch.testing.assert_close(reader.bag("s0/0"), wanted, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def artifact(
    wide_store: Path, tmp_path_factory: pytest.TempPathFactory, files: dict[str, Path]
) -> Path:
    out = tmp_path_factory.mktemp("artifact") / "emb"
    made(wide_store, files[CNN], out, CNN)
    return out


def change(path: Path, **values: object) -> None:
    about = json.loads((path / "zarr.json").read_text())
    about["attributes"]["distill_embeddings"].update(values)
    (path / "zarr.json").write_text(json.dumps(about))


def test_damage_is_an_error_with_the_file(artifact: Path, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(artifact, tmp_path / name))

    with pytest.raises(EmbeddingsError, match="holds no embeddings"):
        EmbeddingsReader(tmp_path / "nothing")
    newer = copy("newer")
    change(newer, format=3)
    with pytest.raises(EmbeddingsError, match="is of format 3; this version reads 2"):
        EmbeddingsReader(newer)
    odd = copy("odd")
    change(odd, colour=1)
    with pytest.raises(EmbeddingsError, match="unexpected colour"):
        EmbeddingsReader(odd)
    wrong = copy("wrong")
    change(wrong, network="timm/")
    with pytest.raises(EmbeddingsError, match="is damaged"):
        EmbeddingsReader(wrong)
    for number, (name, value, said) in enumerate(
        [
            ("mean", [0.5, 0.5], "mean has 2 items, not 3"),
            ("std", ["a", 1, 1], "an item of the record's std is a text"),
            ("std", [1.0, 0.0, 1.0], "mpp, mean and std are no such figures"),
            ("channels", 1.5, "channels is 1.5, not a whole number"),
            ("tile", True, "tile is true"),
            ("pool", None, "pool is null"),
            ("weights", [], "weights is a list, not an object"),
        ]
    ):
        change(copy(f"typed-{number}"), **{name: value})
        with pytest.raises(EmbeddingsError, match=f"is damaged .*{said}"):
            EmbeddingsReader(tmp_path / f"typed-{number}")
    tile = copy("tile")
    change(tile, tile=32)
    with pytest.raises(EmbeddingsError, match=r"crops\.csv is damaged: crop s0/0"):
        EmbeddingsReader(tile)
    lost = copy("lost")
    shutil.rmtree(lost / "vectors" / "c")
    with pytest.raises(EmbeddingsError, match=r"vectors is damaged .*s0/0 is not finite"):
        EmbeddingsReader(lost).bag("s0/0")
    short = copy("short")
    shutil.rmtree(short / "vectors")
    zarr.create_array(str(short / "vectors"), shape=(3, 4), dtype="float32")
    with pytest.raises(EmbeddingsError, match="vectors is damaged"):
        EmbeddingsReader(short).bag("s0/0")
    unfinished = copy("unfinished")
    (unfinished / "progress").mkdir()
    with pytest.raises(EmbeddingsError, match="is not finished; run distill embed again"):
        EmbeddingsReader(unfinished)
