"""Runs that normalize stains: every command reads crops as the training did."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from safetensors.torch import load_file

import wsistore
from distill.data import STAIN_FIGURES, ChannelStats, network_input
from distill.errors import RunError
from distill.explain.activation import ActivationMap, ActivationMapper
from distill.networks import UNBOUNDED
from distill.runs import Run
from tests.distill.behavior.test_recipe import BITWISE, lines, stop_after
from tests.distill.commands import QUICK, distill, done
from tests.distill.commands import train as train_run
from tests.distill.data.stained import EOSIN, HEMATOXYLIN, Bytes, stained
from tests.distill.test_distributed import torchrun
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.slides.labels import Label
from wsistore.split import save_split

CLASSES = {"coarse": 16, "fine": 4}
SUBSETS = ("train", "train", "train", "train", "train", "val", "val", "val")
GLASS = (4, 7)
"""Slides with too little tissue to be measured: one to train on, one to validate on."""
METHODS = ("reinhard", "macenko")


def pixels(number: int, *, gray: bool = False) -> Bytes:
    """A slide, (3, H, W): squares of two stains, which differ from slide to slide."""
    rng = np.random.default_rng(number)
    turn = rng.uniform(-0.1, 0.1, (2, 3))
    stains = [one / np.linalg.norm(one) for one in np.stack([HEMATOXYLIN, EOSIN]) + turn]
    grain = list(CLASSES.values())[number % 2]
    size = (96 + 16 * (number % 3), 128 - 16 * (number % 2))
    amount = float(rng.uniform(0.6, 1.1))
    cells = stained(*stains, seed=number, size=(-(-size[0] // grain), -(-size[1] // grain)),
                    amount=amount)  # fmt: skip
    found = cells.repeat(grain, 1).repeat(grain, 2)[:, : size[0], : size[1]]
    if number in GLASS:
        found = np.full_like(found, 246)
        found[:, 8:12, 8:12] = 120
    return np.repeat(found[1:2], 3, 0) if gray else found


def make_store(folder: Path, changed: int | None = None, *, gray: bool = False) -> Path:
    """A store of a slide for each of `SUBSETS`; `changed` is one that has other pixels."""
    folder.mkdir(exist_ok=True)
    slides, names = [], list(CLASSES)
    for number in range(len(SUBSETS)):
        path = folder / f"s{number}.tif"
        image = pixels(number, gray=gray)
        image = 255 - (255 - image) // 2 if number == changed else image
        tifffile.imwrite(path, np.moveaxis(image, 0, -1), photometric="rgb", tile=(64, 64))
        slides.append(path)
    labels = {one.stem: Label(f"p{n}", names[n % 2]) for n, one in enumerate(slides)}
    settings = BuildSettings(("10x", "2.5x"), regions="whole")
    results = list(build(slides, folder / "store", settings, labels, mpp=1.0, workers=0))
    assert [result.record.slide.outcome for result in results] == ["ok"] * len(SUBSETS)
    crops = wsistore.open(folder / "store").crops
    subsets = {one.stem: subset for one, subset in zip(slides, SUBSETS, strict=True)}
    split = crops.assign(subset=crops["slide"].map(subsets))
    save_split(folder / "store", "main", split[["crop", "slide", "patient", "label", "subset"]])
    return folder / "store"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("stained"))


@pytest.fixture(scope="module")
def runs(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher of one method and a student of the other, fine-tuned; a baseline of each."""
    home = tmp_path_factory.mktemp("runs")
    train_run("teacher", store, home / "teacher", "--level", "10x", *way("macenko"))
    for method in METHODS:
        train_run("baseline", store, home / method, "--level", "2.5x", *way(method))
    train_run("kd", store, home / "kd", "--level", "2.5x", "--teacher", home / "teacher",
              *way("reinhard"))  # fmt: skip
    train_run("finetune", store, home / "tuned", "--student", home / "kd")
    return home


def way(method: str) -> tuple[str, str]:
    return "--stain-normalization", method


def read(store: Path, level: str, subset: str = "train") -> list[Bytes]:
    opened = wsistore.open(store)
    return [opened[crop][level][:] for crop in opened.subset("main", subset)["crop"]]


def by_hand(run: Run, image: Bytes) -> Bytes:
    """A crop as the run is to see it, by the figures of weights.json."""
    reference = run.weights.stains
    assert reference is not None
    source = type(reference).measure(image)
    return image if source is None else reference.transfer(source)(image)


def chances(file: Path) -> pd.DataFrame:
    return pd.read_csv(file, dtype=str).set_index("crop")[["p_coarse", "p_fine"]]


def evaluated(run: Path, store: Path, *more: object) -> tuple[pd.DataFrame, dict[str, Any], str]:
    said = done("evaluate", run, store, "--subset", "val", "--draws", "20", "--device", "cpu",
                "--overwrite", *more)  # fmt: skip
    folder = run / "evaluation" / "main-val"
    report = json.loads((folder / "metrics.json").read_text())
    return chances(folder / "predictions.csv"), report, said.output + said.stderr


@pytest.mark.parametrize(("name", "level"), [("teacher", "10x"), ("kd", "2.5x"), *(
    (method, "2.5x") for method in METHODS)])  # fmt: skip
def test_the_reference_is_the_median_of_the_training_crops(
    runs: Path, store: Path, name: str, level: str
) -> None:
    run = Run.open(runs / name)
    kind = STAIN_FIGURES[run.config["stain_normalization"]]
    images = read(store, level)
    found = [figures for image in images if (figures := kind.measure(image)) is not None]
    assert run.weights.stains == kind.median(found)
    seen = np.concatenate([by_hand(run, image).reshape(3, -1) for image in images], axis=1) / 255
    np.testing.assert_allclose(run.weights.mean, seen.mean(1), rtol=1e-12)
    np.testing.assert_allclose(run.weights.std, seen.std(1), rtol=1e-12)
    fitted = {"crops": 4, "left_as_they_are": 1}
    assert run.weights.stains is not None
    assert run.config["stains"] == {**run.weights.stains.record(), "fitted_on": fitted}
    assert run.config["mean"] == list(run.weights.mean)
    assert run.config["std"] == list(run.weights.std)


def test_fine_tuning_takes_its_students_stains(runs: Path) -> None:
    student, tuned = Run.open(runs / "kd"), Run.open(runs / "tuned")
    assert tuned.weights.stains == student.weights.stains
    assert tuned.config["stain_normalization"] == "reinhard"
    assert tuned.weights.mean == student.weights.mean


@pytest.mark.parametrize("method", METHODS)
def test_the_fit_sees_training_crops_only(runs: Path, tmp_path: Path, method: str) -> None:
    told = {}
    for changed in (0, 6):
        other = make_store(tmp_path / str(changed), changed)
        train_run("baseline", other, tmp_path / f"run-{changed}", "--level", "2.5x", *way(method))
        told[changed] = Run.open(tmp_path / f"run-{changed}").weights
    was = Run.open(runs / method).weights
    assert (told[6].stains, told[6].mean, told[6].std) == (was.stains, was.mean, was.std)
    assert told[0].stains != was.stains
    assert told[0].mean != was.mean


@pytest.mark.parametrize("name", ["teacher", "kd", "tuned", "macenko"])
def test_evaluation_is_what_the_network_says_of_normalized_crops(
    runs: Path, store: Path, name: str
) -> None:
    run = Run.open(runs / name)
    found, report, said = evaluated(runs / name, store)
    about, network = run.weights, run.load_network()
    standard, opened = ChannelStats(about.mean, about.std), wsistore.open(store)
    for crop in found.index:
        image = torch.from_numpy(by_hand(run, opened[crop][about.level][:]))
        with torch.inference_mode():
            logits = network(network_input(image, None, standard, torch.device("cpu"))).logits
        wanted = logits.double().softmax(1)[0].numpy()
        np.testing.assert_allclose(found.loc[crop].astype(float), wanted, rtol=1e-9)
    assert report["crops_in_own_stains"] == [f"s{GLASS[1]}/0"]
    assert f"crops seen in their own stains, for there is too little to normalize: 1, for " \
        f"example s{GLASS[1]}/0" in said.replace("\n", " ")  # fmt: skip


@pytest.mark.parametrize("name", ["kd", "macenko"])
def test_prediction_is_evaluation_bit_for_bit(
    runs: Path, store: Path, tmp_path: Path, name: str
) -> None:
    wanted, _, _ = evaluated(runs / name, store)
    slides = [store.parent / f"s{number}.tif" for number in (5, 6, GLASS[1])]
    done("predict", runs / name, *slides, "--mpp", "1", "--out", tmp_path / "out", "--device",
         "cpu")  # fmt: skip
    found = chances(tmp_path / "out" / "predictions.csv")
    assert found.loc[list(wanted.index)].to_csv() == wanted.to_csv()
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())["slides"]
    warned = [one["slide"] for one in told if "own stains" in " ".join(one["warnings"])]
    assert warned == [f"s{GLASS[1]}"]


def test_without_its_figures_a_run_says_something_else(
    runs: Path, store: Path, tmp_path: Path
) -> None:
    """So that the tests above could fail; and it is not asked for: it says what it was told."""
    shutil.copytree(runs / "macenko", tmp_path / "run")
    wanted, _, _ = evaluated(runs / "macenko", store)
    file = tmp_path / "run" / "weights.json"
    told = json.loads(file.read_text())
    del told["stains"]
    file.write_text(json.dumps(told))
    found, report, _ = evaluated(tmp_path / "run", store)
    off = np.abs(found.astype(float) - wanted.astype(float)).to_numpy()
    assert off[:2].max() > 1e-4
    assert off[2].max() == 0  # the glass, which stays as it is
    assert "crops_in_own_stains" not in report


def test_explanations_are_of_what_the_network_sees(runs: Path, store: Path) -> None:
    run = Run.open(runs / "teacher")
    wanted, _, _ = evaluated(runs / "teacher", store)
    mapper = ActivationMapper(run, torch.device("cpu"), UNBOUNDED)
    for crop, found in mapper.see(wsistore.open(store), "s", [(one, None) for one in wanted.index]):
        assert isinstance(found, ActivationMap)
        np.testing.assert_allclose(
            [found.probabilities[name] for name in CLASSES],
            wanted.loc[crop].astype(float),
            rtol=2e-5,  # evaluation takes small crops of a slide together
        )


def test_stored_targets_teach_what_the_teacher_teaches(
    runs: Path, store: Path, tmp_path: Path
) -> None:
    """Each network sees its own stains: the teacher Macenko's, the student Reinhard's."""
    alone = ("--batch-pixels", "0")
    done("teach", runs / "teacher", store, "--student-level", "2.5x", "--views", "2", "--out",
         tmp_path / "targets", "--device", "cpu", "--threads", "1", *alone)  # fmt: skip
    words = ("--level", "2.5x", *alone)
    stored, online = ("--targets", tmp_path / "targets"), ("--teacher", runs / "teacher")
    train_run("kd", store, tmp_path / "stored", *words, *stored, *way("reinhard"))
    train_run("kd", store, tmp_path / "online", *words, *online, *way("reinhard"))
    train_run("kd", store, tmp_path / "plain", *words, *stored)
    one, two, other = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("online", "stored", "plain")
    )
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-7, msg=name)
    assert not torch.allclose(other["head.weight"], one["head.weight"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_who_reads_changes_nothing(runs: Path, store: Path, tmp_path: Path, method: str) -> None:
    wanted = (runs / method / "weights.safetensors").read_bytes()
    for number, more in enumerate((("--workers", "1"), ("--cache", "0"))):
        out = tmp_path / str(number)
        train_run("baseline", store, out, "--level", "2.5x", *way(method), *more)
        assert (out / "weights.safetensors").read_bytes() == wanted, more
        told = json.loads((out / "weights.json").read_text())
        assert told == json.loads((runs / method / "weights.json").read_text())


def test_resumed_is_uninterrupted(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--level", "2.5x", "--epochs", "3", *way("reinhard"), "--head-lr", "0.01")
    train_run("baseline", store, tmp_path / "whole", *words)
    cut = tmp_path / "cut"
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        assert distill("train", "baseline", store, "--out", cut, *QUICK, *words).exit_code == 130
    other = distill("train", "baseline", store, "--out", cut, *QUICK, *words, *way("macenko"),
                    "--resume")  # fmt: skip
    assert other.exit_code == 2
    assert "stain_normalization was reinhard and is macenko" in other.output
    said = train_run("baseline", store, cut, *words, "--resume").output
    assert "measuring the stains" not in said
    assert lines(cut) == lines(tmp_path / "whole")
    for file in BITWISE:
        assert (cut / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file


def test_two_processes_measure_what_one_measures(runs: Path, store: Path, tmp_path: Path) -> None:
    """To the last bit: each reads its share, and the figures of all are put in one order."""
    found = torchrun("train", "baseline", store, "--out", tmp_path / "two", "--level", "2.5x",
                     *QUICK, *way("macenko"))  # fmt: skip
    assert found.returncode == 0, found.stderr
    one, two = (Run.open(at).weights for at in (runs / "macenko", tmp_path / "two"))
    assert (two.stains, two.mean, two.std) == (one.stains, one.mean, one.std)


def test_training_crops_that_cannot_be_measured_are_said(store: Path, tmp_path: Path) -> None:
    said = train_run("baseline", store, tmp_path / "run", "--level", "2.5x", *way("reinhard"))
    assert "reinhard: measuring the stains of 5 crops at 2.5x" in said.output
    assert "reinhard: 1 of 5 training crops stay as they are, such as s4/0, which has too little " \
        "tissue" in said.output.replace("\n", " ")  # fmt: skip


def test_grey_crops_have_no_stains_to_separate(tmp_path: Path) -> None:
    store = make_store(tmp_path / "grey", gray=True)
    words = ("train", "baseline", store, "--level", "2.5x", *QUICK)
    found = distill(*words, "--out", tmp_path / "m", *way("macenko"))
    assert found.exit_code == 1
    assert "--stain-normalization macenko: every training crop at 2.5x has too little tissue or " \
        "no two stains, as where all is grey" in found.output.replace("\n", " ")  # fmt: skip
    assert not (tmp_path / "m" / "config.json").exists()
    done(*words, "--out", tmp_path / "r", *way("reinhard"))
    evaluated(tmp_path / "r", store)


def test_a_level_cannot_be_read_in_two_ways(runs: Path, store: Path, tmp_path: Path) -> None:
    words = ("train", "kd", store, "--level", "10x", "--teacher", runs / "teacher", *QUICK)
    for method in ("none", "reinhard"):
        found = distill(*words, "--out", tmp_path / method, *way(method))
        assert found.exit_code == 2, found.output
        assert "--stain-normalization: the teacher takes 10x too" in found.output
    done(*words, "--out", tmp_path / "same", *way("macenko"))
    assert Run.open(tmp_path / "same").weights.stains == Run.open(runs / "teacher").weights.stains


def test_vectors_have_no_stains(store: Path, tmp_path: Path) -> None:
    found = distill("train", "teacher", store, "--embeddings", tmp_path, "--out", tmp_path / "x",
                    *way("reinhard"))  # fmt: skip
    assert found.exit_code == 2
    assert "--stain-normalization has no effect with --embeddings" in found.output


def test_an_export_leaves_the_stains_to_others_and_says_so(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnx is an optional extra")
    out = tmp_path / "m.onnx"
    found = distill("export", runs / "kd", "--onnx", "--out", out)
    assert found.exit_code == 2
    assert "give --input float, and normalize them before" in found.output.replace("\n", " ")
    done("export", runs / "kd", "--onnx", "--out", out, "--input", "float")
    import onnxruntime

    told = onnxruntime.InferenceSession(out).get_modelmeta().custom_metadata_map
    stains = Run.open(runs / "kd").weights.stains
    assert stains is not None
    assert json.loads(told["stains"]) == json.loads(json.dumps(stains.record()))
    page = out.with_name("m.card.md").read_text()
    assert "of pixels whose stains were normalized before (reinhard)" in page
    assert "The stains of every crop must be normalized (reinhard)" in page
    assert "| reference of the stains, reinhard | mean " in page


def test_damaged_figures_are_one_sentence(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "macenko", tmp_path / "run")
    file = tmp_path / "run" / "weights.json"
    told = json.loads(file.read_text())
    for odd in ({"method": "vahadane"}, {**told["stains"], "most": [0, 1]}, "macenko", None):
        file.write_text(json.dumps({**told, "stains": odd}))
        with pytest.raises(RunError, match=r"weights\.json is damaged"):
            Run.open(tmp_path / "run")


def test_without_the_option_nothing_is_said_of_stains(store: Path, tmp_path: Path) -> None:
    train_run("baseline", store, tmp_path / "run", "--level", "2.5x")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["stain_normalization"] == "none"
    assert "stains" not in config
    assert "stains" not in json.loads((tmp_path / "run" / "weights.json").read_text())
