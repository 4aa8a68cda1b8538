"""`distill explain`, from the command line to files: places, scales, classes, failures."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import zarr
from click.testing import Result
from ome_zarr_models.v05.image import Image as OmeImage
from PIL import Image

import wsistore
from distill.data.normalization import to_input
from distill.explain import crops as work
from distill.explain.picture import CAPTION, HEADER, MARGIN, NARROWEST, gray, shaded
from distill.networks import build
from distill.runs.checkpoint import TrainingState
from distill.runs.run import Run
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from tests.distill.commands import done
from wsistore.build.builder import build as build_store
from wsistore.build.settings import BuildSettings
from wsistore.slides.labels import Label
from wsistore.split import save_split

CLASSES = ["coarse", "fine", "odd $x$ / ../name"]
MEAN, STD = (0.5, 0.4, 0.6), (0.2, 0.1, 0.3)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two slides of two pieces of tissue each, and one without a label, at 10x and 2.5x."""
    folder = tmp_path_factory.mktemp("explain")
    slides, labels = [], {}
    for number in range(3):
        rng = np.random.default_rng(number)
        pixels = np.full((500, 900, 3), 243, np.uint8)
        for left, width in ((40, 330), (500, 290)):
            spots = rng.integers(60, 200, (340 // 4, width // 2, 3))
            tissue = spots.repeat(4, 0).repeat(2, 1).astype(np.uint8)
            pixels[60 : 60 + tissue.shape[0], left : left + tissue.shape[1]] = tissue
        path = folder / f"s {number}.tif"
        tifffile.imwrite(path, pixels, photometric="rgb", tile=(128, 128))
        slides.append(path)
        labels[path.stem] = Label(f"p{number}", CLASSES[number] if number < 2 else None)
    settings = BuildSettings(("10x", "2.5x"))
    found = list(build_store(slides, folder / "store", settings, labels, mpp=1.0, workers=0))
    assert [result.record.slide.crops for result in found] == [2, 2, 2]
    crops = wsistore.open(folder / "store").crops.assign(subset="test")
    save_split(folder / "store", "main", crops[["crop", "slide", "patient", "label", "subset"]])
    return folder / "store"


def make_run(
    path: Path, level: str, seed: int, network: str = "resnet10", classes: list[str] = CLASSES
) -> Path:
    made = build(network, len(classes), seed=seed)
    with torch.no_grad():
        made.head.weight *= 8
    weights = Weights(network, classes, level, 1.0, MEAN, STD, 0, "last epoch")
    writer = RunWriter(path, {"command": "test"}, weights)
    adam = torch.optim.Adam(made.parameters())
    writer.epoch({"epoch": 1}, {"network": made}, adam, TrainingState(epoch=1, kept=1))
    writer.close()
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    teacher = make_run(folder / "teacher", "10x", 1)
    return teacher, make_run(folder / "student", "2.5x", 2, classes=CLASSES[::-1])


@pytest.fixture(scope="module")
def explained(store: Path, runs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory):
    """Both runs on all crops."""
    out = tmp_path_factory.mktemp("explained") / "out"
    result = done("explain", *runs, store, "--out", out, "--size", 200, "--threads", 1)
    return out, result.output


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "explain.json").read_text(encoding="utf-8"))
    return found


def seen(run: Path, store: Path, crop: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The features, weights of the head and probabilities, in classes of `CLASSES`, by hand."""
    opened = Run.open(run)
    pixels = torch.from_numpy(wsistore.open(store)[crop][opened.weights.level][:])
    network = opened.load_network()
    with torch.no_grad():
        output = network(to_input(pixels, MEAN, STD))
    order = [opened.weights.classes.index(name) for name in CLASSES]
    return (
        output.features[0].double().numpy(),
        network.head.weight.detach().double().numpy()[order],
        output.logits[0].double().softmax(0).numpy()[order],
    )


def test_maps_and_probabilities_are_the_networks(explained, store: Path, runs) -> None:
    out, said = explained
    found = report(out)
    assert [entry["crop"] for entry in found["crops"]] == [
        f"s {slide}/{number}" for slide in range(3) for number in range(2)
    ]
    for entry in found["crops"]:
        predicted = None
        for name, run in zip(("teacher", "student"), runs, strict=True):
            features, head, chances = seen(run, store, entry["crop"])
            one = entry["runs"][name]
            given = [one["probabilities"][label] for label in CLASSES]
            np.testing.assert_allclose(given, chances, rtol=1e-5)
            assert one["predicted"] == CLASSES[chances.argmax()]
            predicted = predicted or one["predicted"]  # the first run's decides for both
            assert entry["class"] == predicted
            weights = np.maximum(head[CLASSES.index(predicted)], 0)
            weights = weights / (2 + weights * features.mean((1, 2)))
            wanted = np.tensordot(weights, features, 1)
            array = zarr.open_array(out / one["map"] / "0", mode="r")
            assert (array.dtype, array.shape) == (np.float32, (1, *wanted.shape))
            np.testing.assert_allclose(array[0], wanted, rtol=1e-4, atol=1e-5)
            assert one["highest"] == pytest.approx(wanted.max(), rel=1e-4)
            assert one["cells"] == list(wanted.shape)
    for name, run in zip(("teacher", "student"), runs, strict=True):
        content = (run / "weights.safetensors").read_bytes()
        assert found["runs"][name]["weights_sha256"] == hashlib.sha256(content).hexdigest()
        assert found["runs"][name]["level"] == Run.open(run).weights.level
    compared = [entry["similarity"] for entry in found["crops"]]
    assert found["similarity"]["compared"] == len(compared) == 6
    assert found["similarity"]["median_pearson"] == np.median([one["pearson"] for one in compared])
    assert said.startswith(f"{out}: 6 crops explained\nMaps of 6 crops compared: median corr")


def test_a_map_lies_over_its_crop(explained, store: Path) -> None:
    out, _ = explained
    for entry in report(out)["crops"]:
        image = zarr.open_group(store / "slides" / entry["crop"], mode="r").attrs["ome"]
        levels = {one["path"]: one for one in image["multiscales"][0]["datasets"]}
        for name, level in (("teacher", "10x"), ("student", "2.5x")):
            layer = out / entry["runs"][name]["map"]
            group = zarr.open_group(layer, mode="r")
            OmeImage.from_zarr(group)
            (axes,) = (one["axes"] for one in group.attrs["ome"]["multiscales"])
            assert [axis["name"] for axis in axes] == ["c", "y", "x"]
            (own,) = group.attrs["ome"]["multiscales"][0]["datasets"]
            (scale, shift), (theirs, origin) = (
                one["coordinateTransformations"] for one in (own, levels[level])
            )
            assert scale["scale"][1:] == [32 * value for value in theirs["scale"][1:]]
            # cell 0 is centred on pixel 0
            assert shift["translation"] == origin["translation"]
            cells, pixels = (
                group["0"].shape[1:],
                zarr.open_array(store / "slides" / entry["crop"] / level, mode="r").shape[1:],
            )
            assert cells == tuple(-(-n // 32) for n in pixels)
            top = report(out)["scale"][entry["slide"]][1]
            window = group.attrs["ome"]["omero"]["channels"][0]["window"]
            assert (window["start"], window["end"]) == (0, top)


def test_all_pictures_of_a_slide_have_one_scale(explained, store: Path) -> None:
    out, _ = explained
    found = report(out)
    assert list(found["scale"]) == ["s 0", "s 1", "s 2"]
    for slide, (low, top) in found["scale"].items():
        entries = [entry for entry in found["crops"] if entry["slide"] == slide]
        assert len(entries) == 2
        assert low == 0
        highest = [run["highest"] for entry in entries for run in entry["runs"].values()]
        assert top == max(highest)
        assert min(highest) < top
    assert len({top for _, top in found["scale"].values()}) == 3


def test_a_picture_has_the_crop_and_its_map_in_the_slides_colors(explained, store: Path) -> None:
    out, _ = explained
    found = report(out)
    entry = found["crops"][0]
    sheet = np.asarray(Image.open(out / entry["picture"]))
    pixels = wsistore.open(store)[entry["crop"]].read("10x")
    size = [round(n * 200 / max(pixels.shape[1:])) for n in pixels.shape[1:]]
    shown = wsistore.open(store)[entry["crop"]].picture(size[1], size[0])
    above = HEADER + CAPTION
    beside = sheet[above : above + size[0], MARGIN : MARGIN + size[1]]
    assert np.array_equal(beside, shown)
    cells = zarr.open_array(out / entry["runs"]["teacher"]["map"] / "0", mode="r")[0]
    top = found["scale"][entry["slide"]][1]
    # where a picture's pixel is on a cell's centre the heat is the cell's: cell (1, 2), say
    scale = pixels.shape[2] / size[1]
    y, x = round((32 * 1 + 0.5) / scale - 0.5), round((32 * 2 + 0.5) / scale - 0.5)
    left = MARGIN + NARROWEST + MARGIN
    spot = sheet[above + y, left + x].astype(int)
    wanted = shaded(gray(shown)[y : y + 1, x : x + 1], cells[1:2, 2:3].astype(float), top)[0, 0]
    assert np.abs(spot - wanted).max() <= 6


def run_it(distill: Callable[..., Result], *more: object, code: int = 0) -> Result:
    result = distill("explain", *more, "--size", 64, "--threads", 1)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def test_one_run_named_crops_and_a_named_class(distill, store, runs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    named = ("--crop", "s 1/1", "--crop", "s 0/0", "--crop", "s 1/1")
    run_it(distill, runs[1], store, "--out", out, *named, "--class", CLASSES[2])
    found = report(out)
    assert [entry["crop"] for entry in found["crops"]] == ["s 1/1", "s 0/0"]
    assert {entry["class"] for entry in found["crops"]} == {CLASSES[2]}
    assert (found["subset"], found["split"], found["class"]) == (None, None, CLASSES[2])
    assert "similarity" not in found
    assert "similarity" not in found["crops"][0]
    assert sorted(path.name for path in out.iterdir()) == ["explain.json", "maps", "pictures"]
    assert [path.name for path in (out / "maps").iterdir()] == ["student"]


def test_the_class_of_the_label(distill, store, runs, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run_it(distill, runs[0], store, "--out", out, "--class", "label", "--limit", 3)
    found = report(out)
    assert [(entry["crop"], entry["class"]) for entry in found["crops"]] == [
        ("s 0/0", "coarse"), ("s 0/1", "coarse"), ("s 1/0", "fine"),
    ]  # fmt: skip
    assert found["left_out"] == {"s 2/0": "has no label", "s 2/1": "has no label"}
    assert "left out 2 test crops: s 2/0 has no label" in result.output


def test_runs_of_one_name_are_told_apart(distill, store, runs, tmp_path: Path) -> None:
    for number, run in enumerate(runs):
        shutil.copytree(run, tmp_path / str(number) / "a run: µ")
    both = [tmp_path / str(number) / "a run: µ" for number in range(2)]
    run_it(distill, *both, store, "--out", tmp_path / "out", "--limit", 1)
    assert list(report(tmp_path / "out")["runs"]) == ["a_run__µ-1", "a_run__µ-2"]


def test_a_damaged_crop_costs_itself_alone(distill, store, runs, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    shard = next(path for path in (copy / "slides/s 0/1/10x/c").rglob("*") if path.is_file())
    shard.write_bytes(shard.read_bytes()[:-9] + b"123456789")
    result = run_it(distill, *runs, copy, "--out", tmp_path / "out", code=1)
    found = report(tmp_path / "out")
    assert list(found["failed"]) == ["s 0/1"]
    assert "damaged at 10x" in found["failed"]["s 0/1"]
    assert "failed: s 0/1: " in result.output
    assert [entry["crop"] for entry in found["crops"]] == [
        "s 0/0", "s 1/0", "s 1/1", "s 2/0", "s 2/1",
    ]  # fmt: skip
    only = run_it(distill, runs[0], copy, "--out", tmp_path / "none", "--crop", "s 0/1", code=1)
    assert "no crop could be explained; for example s 0/1" in only.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]


def test_interruption_leaves_nothing_and_what_was_there(
    distill, store, runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run_it(distill, runs[0], store, "--out", out, "--limit", 1)
    before = (out / "explain.json").read_bytes()
    real = work.draw

    def interrupted(*arguments: Any) -> Image.Image:
        if arguments[2][0] == "s 0/1":
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(work, "draw", interrupted)
    run_it(distill, runs[0], store, "--out", out, "--overwrite", code=130)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (out / "explain.json").read_bytes() == before
    monkeypatch.undo()
    run_it(distill, runs[0], store, "--out", out, "--overwrite")
    assert len(report(out)["crops"]) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_makes_no_sense_is_refused_in_a_sentence(distill, store, runs, tmp_path: Path) -> None:
    def refused(message: str, code: int, *arguments: object, out: Path = tmp_path / "out") -> None:
        result = run_it(distill, *arguments, "--out", out, code=code)
        assert message in result.output

    teacher, student = runs
    refused("3 runs are given", 2, teacher, student, teacher, store)
    other = make_run(tmp_path / "other", "10x", 3, classes=["a", "b"])
    refused("different classes apart", 2, teacher, other, store)
    refused("--class pink: ", 2, teacher, store, "--class", "pink")
    refused("is inside the store", 2, teacher, store, out=store / "maps")
    refused("no crop nobody/0", 1, teacher, store, "--crop", "nobody/0")
    refused("no split 'other'", 1, teacher, store, "--split", "other")
    refused("has no 'val'", 1, teacher, store, "--subset", "val")
    refused("is not a run folder", 1, store, store)
    refused("--memory is 0.0; raise it", 1, teacher, store, "--memory", 1e-6)
    deep = make_run(tmp_path / "deep", "40x", 3)
    refused("takes level 40x", 1, deep, store)
    refused("is not empty and holds no explanations", 2, teacher, store, out=tmp_path)
    assert not (tmp_path / "out").exists()
    run_it(distill, teacher, store, "--out", tmp_path / "out", "--limit", 1)
    refused("replace it with --overwrite", 2, teacher, store)


def test_any_of_our_networks_can_be_explained(distill, store, tmp_path: Path) -> None:
    run = make_run(tmp_path / "deep", "2.5x", 5, network="resnet50")
    run_it(distill, run, store, "--out", tmp_path / "out", "--limit", 1)
    (entry,) = report(tmp_path / "out")["crops"]
    assert entry["runs"]["deep"]["highest"] > 0
