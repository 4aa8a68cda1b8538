"""Heads on the crops of a slide, or of a patient, together: learnt, resumed, evaluated, refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from distill.embeddings import AttentionHead, EmbeddingsReader, load_head
from distill.evaluation import Predictions
from distill.files import load
from distill.runs import Run
from tests.distill.commands import as_if_killed, distill, done
from tests.distill.training.bagged import cohort, small_store, write_vectors

pytest.importorskip("timm", reason="timm is an optional extra")
ONCE = ("--device", "cpu", "--threads", "1")
QUICK = (*ONCE, "--epochs", "20", "--accumulate", "4", "--lr", "0.01")
ROWS = cohort(100)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of slides, and a head of each kind that has learnt from and answered for them."""
    home = tmp_path_factory.mktemp("bags")
    store = small_store(home / "store", ROWS)
    write_vectors(home / "emb", store, ROWS)
    for head in ("attention", "linear"):
        done("train", "teacher", store, "--embeddings", home / "emb", "--head", head,
             "--bag", "slide", "--out", home / head, *QUICK)  # fmt: skip
    done("evaluate", home / "linear", store, "--embeddings", home / "emb", "--draws", 50,
         *ONCE)  # fmt: skip
    done("evaluate", home / "attention", store, "--embeddings", home / "emb", "--draws", 50,
         "--calibrate", "val", *ONCE)  # fmt: skip
    return home


def report(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder(run) / "metrics.json").read_text())
    return found


def auroc(run: Path) -> float:
    return float(report(run)["macro"]["auroc"]["value"])  # type: ignore[index]


def folder(run: Path) -> Path:
    return run / "evaluation" / "main-test"


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load(run / "weights.safetensors")[0]


def test_what_one_crop_tells_is_learnt_by_attention_and_not_by_the_mean(home: Path) -> None:
    assert auroc(home / "attention") > 0.8
    assert auroc(home / "linear") < 0.7


def test_the_evaluation_is_the_head_on_the_tiles_of_each_slide(home: Path) -> None:
    """By hand, in the order of the crops and in another one."""
    run, vectors = Run.open(home / "attention"), EmbeddingsReader(home / "emb")
    head = load_head(run)
    assert isinstance(head, AttentionHead)
    metrics = report(home / "attention")
    assert metrics["format"] == "distill-bag-evaluation/1"
    assert metrics["case"] == "slide"
    assert metrics["scored"] == {"slides": 20, "patients": 10}
    assert metrics["calibration"]["slides"] == 20  # type: ignore[index]
    temperature = metrics["calibration"]["temperature"]  # type: ignore[index]
    slides = Predictions.read(folder(home / "attention") / "slides.csv", "slide")
    shown = pd.read_csv(folder(home / "attention") / "attention.csv").set_index("crop")
    for slide, label, chances in zip(
        slides.table["slide"], slides.table["label"], slides.probabilities, strict=True
    ):
        crops = [row[0] for row in ROWS if row[1] == slide]
        for order in (crops, crops[::-1]):
            bag = torch.cat([vectors.bag(crop) for crop in order])
            with torch.no_grad():
                wanted = torch.softmax(head(bag).double() / temperature, 0)
            np.testing.assert_allclose(chances, wanted.numpy(), atol=1e-5)
        with torch.no_grad():
            of_tile = head.attention((torch.cat([vectors.bag(c) for c in crops]) - head.center)
                                     / head.scale)  # fmt: skip
        sizes = [len(vectors.bag(crop)) for crop in crops]
        rows = shown.loc[crops]
        assert rows["tiles"].tolist() == sizes
        assert rows["slide"].tolist() == [slide] * len(crops)
        assert rows["weight"].sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(
            rows["weight"], [float(one.sum()) for one in of_tile.split(sizes)], atol=1e-5
        )
        assert label in "ab"
    assert not (folder(home / "attention") / "predictions.csv").exists()
    assert not (folder(home / "linear") / "attention.csv").exists()


def test_patients_are_the_mean_of_their_slides(home: Path) -> None:
    slides = Predictions.read(folder(home / "attention") / "slides.csv", "slide")
    patients = Predictions.read(folder(home / "attention") / "patients.csv", "patient")
    for name, crops, chances in zip(
        patients.table["patient"], patients.table["crops"], patients.probabilities, strict=True
    ):
        mine = (slides.table["patient"] == name).to_numpy()
        np.testing.assert_allclose(chances, slides.probabilities[mine].mean(0), rtol=1e-12)
        assert crops == sum(row[2] == name for row in ROWS)
    assert report(home / "attention")["patients"]["scored"] == {"patients": 10}  # type: ignore[index]


def test_a_patient_is_a_bag_too(home: Path, tmp_path: Path) -> None:
    done("train", "teacher", home / "store", "--embeddings", home / "emb", "--head", "logistic",
         "--bag", "patient", "--out", tmp_path / "run", *ONCE)  # fmt: skip
    done("evaluate", tmp_path / "run", home / "store", "--embeddings", home / "emb",
         "--draws", 20, *ONCE)  # fmt: skip
    run, vectors = Run.open(tmp_path / "run"), EmbeddingsReader(home / "emb")
    head = load_head(run)
    patients = Predictions.read(folder(run.path) / "patients.csv", "patient")
    assert len(patients.table) == 10
    for name, chances in zip(patients.table["patient"], patients.probabilities, strict=True):
        bag = torch.cat([vectors.bag(row[0]) for row in ROWS if row[2] == name])
        with torch.no_grad():
            wanted = torch.softmax(head(bag).double(), 0)
        np.testing.assert_allclose(chances, wanted.numpy(), atol=1e-5)
    assert not (folder(run.path) / "slides.csv").exists()


@pytest.mark.parametrize("head", ["attention", "linear"])
def test_a_bag_of_one_crop_is_the_head_on_crops_to_the_bit(tmp_path: Path, head: str) -> None:
    rows = [row for row in cohort(20) if row[0].endswith("/0")]
    store = small_store(tmp_path / "store", rows)
    write_vectors(tmp_path / "emb", store, rows, "eight")
    for bag in ("crop", "slide"):
        done("train", "teacher", store, "--embeddings", tmp_path / "emb", "--head", head, "--bag",
             bag, "--out", tmp_path / bag, *QUICK, "--epochs", 3)  # fmt: skip
    one, other = weights(tmp_path / "crop"), weights(tmp_path / "slide")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    done("evaluate", tmp_path / "crop", store, "--embeddings", tmp_path / "emb", *ONCE)
    done("evaluate", tmp_path / "slide", store, "--embeddings", tmp_path / "emb", *ONCE)
    crops = Predictions.read(folder(tmp_path / "crop") / "predictions.csv")
    slides = Predictions.read(folder(tmp_path / "slide") / "slides.csv", "slide")
    np.testing.assert_array_equal(crops.probabilities, slides.probabilities)


def test_a_resumed_head_is_an_uninterrupted_one(home: Path, tmp_path: Path) -> None:
    words = ("train", "teacher", home / "store", "--embeddings", home / "emb", "--head",
             "attention", "--bag", "slide")  # fmt: skip
    done(*words, "--out", tmp_path / "whole", *QUICK, "--epochs", 4)
    done(*words, "--out", tmp_path / "cut", *QUICK, "--epochs", 2)
    as_if_killed(tmp_path / "cut", 4)
    refused = distill(*words[:-1], "patient", "--out", tmp_path / "cut", *QUICK, "--epochs", 4,
                      "--resume")  # fmt: skip
    assert "bag was slide and is patient" in " ".join(refused.output.split())
    done(*words, "--out", tmp_path / "cut", *QUICK, "--epochs", 4, "--resume")
    one, other = (tmp_path / name / "weights.safetensors" for name in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()


def test_slides_count_and_not_crops_and_what_has_no_label_is_said(tmp_path: Path) -> None:
    rows = [
        (f"s{n}/{k}", f"s{n}", f"p{n}", "ab"[n % 2], "train" if n < 6 else "val")
        for n in range(10)
        for k in range(1 + 3 * (n % 2))
    ]
    rows += [("m/0", "m", "pm", "a", "train"), ("m/1", "m", "pm", "b", "train")]
    rows += [("n/0", "n", "pn", "", "train"), ("s0/9", "s0", "p0", "", "train")]
    store = small_store(tmp_path / "store", rows)
    write_vectors(tmp_path / "emb", store, rows)
    said = done("train", "teacher", store, "--embeddings", tmp_path / "emb", "--bag", "slide",
                "--class-weights", "balanced", "--out", tmp_path / "run",
                *QUICK).output  # fmt: skip
    assert "train: 6 slides of 16 crops" in said
    assert "left out 2 train slides: m has crops of several labels; n has no labelled crop" in said
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["bag"], config["bags"]) == ("slide", {"train": 6, "val": 4})
    assert config["class_weight_values"] == {"a": 1.0, "b": 1.0}
    assert config["crops"] == {"train": 16, "val": 10}
    assert config["left_out"]["train"]["m/0"].startswith("is of slide m")


@pytest.mark.parametrize(
    "words",
    [
        ("report", "RUN", "STORE", "--out", "OUT"),
        ("defer", "RUN", "OTHER", "STORE", "--out", "OUT"),
        ("teach", "RUN", "STORE", "--embeddings", "EMB", "--student-level", "2.5x", "--out", "OUT"),
        ("train", "kd", "STORE", "--teacher", "RUN", "--level", "2.5x", "--out", "OUT"),
        ("predict", "RUN", "STORE/zarr.json", "--out", "OUT"),
        ("export", "RUN", "--onnx"),
        ("embed", "STORE", "--run", "RUN", "--out", "OUT"),
    ],
)
def test_who_asks_about_crops_is_refused(
    home: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    places = {"RUN": home / "attention", "OTHER": home / "linear", "STORE": home / "store",
              "EMB": home / "emb", "OUT": tmp_path / "out",
              "STORE/zarr.json": home / "store" / "zarr.json"}  # fmt: skip
    result = distill(*(places.get(word, word) for word in words))
    assert result.exit_code == 2, result.output
    said = " ".join(result.output.split())
    assert "attention answers for slides and not for crops (--bag slide); only distill" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [("--net-benefit",), ("--operating-point", "sensitivity=0.9", "--choose-on", "val"),
     ("--cohort", "b=STORE", "--cohort-embeddings", "b=EMB")],
)  # fmt: skip
def test_what_an_evaluation_does_for_crops_alone_is_refused(
    home: Path, words: tuple[str, ...]
) -> None:
    before = (folder(home / "attention") / "metrics.json").read_bytes()
    given = [
        word.replace("STORE", str(home / "store")).replace("EMB", str(home / "emb"))
        for word in words
    ]
    result = distill("evaluate", home / "attention", home / "store", "--embeddings", home / "emb",
                     "--overwrite", *given, *ONCE)  # fmt: skip
    assert result.exit_code == 2, result.output
    said = f"{words[0]} is for runs that answer for crops, and"
    assert said in " ".join(result.output.split())
    assert (folder(home / "attention") / "metrics.json").read_bytes() == before


def test_runs_that_answer_for_the_same_are_compared_and_others_not(
    home: Path, tmp_path: Path
) -> None:
    shared = ("--embeddings", home / "emb", "--draws", 20, "--overwrite", *ONCE)
    done("evaluate", home / "linear", home / "attention", home / "store", *shared)
    differences = json.loads((folder(home / "attention") / "differences.json").read_text())
    assert sorted(differences.keys() & {"crops", "slides", "patients"}) == ["patients", "slides"]
    one, other = (auroc(home / head) for head in ("attention", "linear"))
    assert differences["slides"]["macro"]["auroc"]["value"] == pytest.approx(one - other)
    done("train", "teacher", home / "store", "--embeddings", home / "emb", "--out",
         tmp_path / "crops", *QUICK, "--epochs", 1)  # fmt: skip
    refused = distill("evaluate", home / "linear", tmp_path / "crops", home / "store", *shared)
    assert refused.exit_code == 2
    assert "answers for crops, and" in " ".join(refused.output.split())
