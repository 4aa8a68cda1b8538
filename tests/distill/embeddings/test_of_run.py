"""`distill embed --run`: vectors are what a run's own network hands to its last layer."""

from pathlib import Path

import numpy as np
import pytest
import torch

import wsistore
from distill.data import ChannelStats, network_input
from distill.embeddings import EmbeddingsReader, TileRule
from distill.runs import Run, sha256
from tests.distill.commands import distill, done, train

ONCE = ("--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, wide_store: Path) -> Path:
    home = tmp_path_factory.mktemp("of-run")
    train("baseline", wide_store, home / "run", "--level", "2.5x", "--stain-normalization",
          "reinhard")  # fmt: skip
    done("embed", wide_store, "--run", home / "run", "--out", home / "emb", *ONCE)
    return home


@pytest.mark.parametrize("tile", [None, 24])
def test_a_vector_is_the_mean_of_the_map_that_the_run_makes(
    home: Path, wide_store: Path, tmp_path: Path, tile: int | None
) -> None:
    """Of each crop whole, in the stains that the run reads, or of its tiles."""
    out = home / "emb"
    if tile is not None:
        out = tmp_path / "emb"
        done("embed", wide_store, "--run", home / "run", "--tile", tile, "--out", out, *ONCE)
    run, vectors, store = Run.open(home / "run"), EmbeddingsReader(out), wsistore.open(wide_store)
    about, network = run.weights, run.load_network()
    standard = ChannelStats(about.mean, about.std)
    told = vectors.about
    assert (told.level, told.network) == ("2.5x", "resnet10")
    assert (told.pool, told.tile) == ("map", tile or 0)
    assert told.weights["run"] == str((home / "run").resolve())
    assert told.weights_sha256 == sha256(home / "run" / "weights.safetensors")
    for crop in store.crops["crop"]:
        pixels = read(store, crop, run)
        parts = [pixels] if tile is None else list(TileRule(tile).tiles(pixels))
        bag = vectors.bag(crop)
        assert len(bag) == len(parts)
        for vector, part in zip(bag, parts, strict=True):
            with torch.no_grad():
                seen = network(network_input(part, None, standard, torch.device("cpu")))
                found = network.head(vector)
            torch.testing.assert_close(vector, seen.features.mean((2, 3))[0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(found, seen.logits[0], atol=1e-4, rtol=1e-4)


def read(store: wsistore.Store, crop: str, run: Run) -> torch.Tensor:
    from distill.data import normalize_stains

    pixels = np.array(store[crop]["2.5x"][:])
    assert run.weights.stains is not None
    normalize_stains(pixels, run.weights.stains)
    return torch.from_numpy(pixels)


def test_who_taught_the_encoder_has_been_seen_by_the_head(
    home: Path, wide_store: Path, tmp_path: Path
) -> None:
    """So an encoder that is gone leaves nobody who could tell."""
    done("train", "teacher", wide_store, "--embeddings", home / "emb", "--head", "attention",
         "--bag", "slide", "--out", tmp_path / "head", "--epochs", 2, "--accumulate", 2,
         *ONCE)  # fmt: skip
    config = Run.open(tmp_path / "head").config
    assert config["pretrained"]["run"] == str((home / "run").resolve())
    done("evaluate", tmp_path / "head", wide_store, "--embeddings", home / "emb", "--subset", "val",
         "--draws", 20, *ONCE)  # fmt: skip
    (tmp_path / "moved").mkdir()
    (home / "run").rename(tmp_path / "moved" / "run")
    try:
        refused = distill("evaluate", tmp_path / "head", wide_store, "--embeddings", home / "emb",
                          "--subset", "val", "--overwrite", *ONCE)  # fmt: skip
        assert refused.exit_code == 1
        assert "cannot tell who" in " ".join(refused.output.split())
    finally:
        (tmp_path / "moved" / "run").rename(home / "run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--network", "timm/test_vit"), "--network has no effect with --run"),
        (("--weights", "x.pt"), "--weights has no effect with --run"),
        (("--pool", "mean"), "--pool has no effect with --run"),
        (("--batch-size", 4), "--batch-size has no effect with --run, unless --tile"),
        (("--level", "10x"), "takes 2.5x; leave --level out"),
        (("--tile", 2), "the network needs 5 px a side"),
        (("--overlap", 4), "--overlap 4 must be"),
    ],
)
def test_misuse_is_one_sentence(
    home: Path, wide_store: Path, tmp_path: Path, words: tuple[object, ...], said: str
) -> None:
    result = distill("embed", wide_store, "--run", home / "run", "--out", tmp_path / "emb", *ONCE,
                     *words)  # fmt: skip
    assert result.exit_code in (1, 2)
    assert said in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


def test_without_a_run_weights_and_level_are_needed(wide_store: Path, tmp_path: Path) -> None:
    for words, said in (((), "weights"), (("--weights", "x.pt"), "level")):
        result = distill("embed", wide_store, "--network", "timm/test_vit", *words, "--out",
                         tmp_path / "emb", *ONCE)  # fmt: skip
        assert result.exit_code == 2
        assert f"Missing option '--{said}', or '--run'." in " ".join(result.output.split())
