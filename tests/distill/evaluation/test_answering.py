"""Ensembles and views: their answers are means of what their parts answer, at the cost of all."""

import json
import shutil
import weakref
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import wsistore
from distill.cost import gmac
from distill.data import apply_geometry, view_draws
from distill.data.normalization import normalize, to_unit
from distill.data.reinhard import Reinhard
from distill.errors import DistillError
from distill.evaluation.answering import Answering, mean_logits
from distill.evaluation.inference import crop_logits, logits
from distill.evaluation.predictions import Predictions
from distill.networks import Classifier, CropImage, CropRunner
from distill.predict.calibration import run_calibration
from distill.runs.ensemble import open_run
from distill.runs.run import Run
from distill.types import Floats
from tests.distill.commands import distill, done
from tests.distill.evaluating import CLASSES, make_run, make_store, rows, strict, write_split

E = ("--draws", 9, "--device", "cpu", "--threads", 1)
ORDERS = (CLASSES, [CLASSES[2], CLASSES[0], CLASSES[1]], CLASSES)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `0`, `1`, `2`: of other classes' order, figures, network and stains; a store of theirs.

    All are evaluated on the test crops.
    """
    folder = tmp_path_factory.mktemp("answering")
    store = make_store(folder / "store", rows())
    for seed, (classes, name) in enumerate(zip(ORDERS, ("resnet10", "resnet10", "resnet18"),
                                               strict=True)):  # fmt: skip
        run = make_run(
            folder / str(seed), store, seed, classes=classes, network_name=name,
            command="train baseline", subset="train",
        )  # fmt: skip
        with (run / "metrics.jsonl").open("w") as lines:
            lines.write(json.dumps({"epoch": 1, "kept": True}) + "\n")
    change(folder / "1", mean=[0.4, 0.5, 0.5], std=[0.3, 0.2, 0.2])
    reference = Reinhard.measure(np.random.default_rng(1).integers(0, 256, (3, 64, 64), np.uint8))
    assert reference is not None
    change(folder / "2", stains=reference.record())
    done("evaluate", folder / "0", folder / "1", folder / "2", store, *E)
    return folder


def change(run: Path, **entries: object) -> None:
    """Write entries into weights.json."""
    file = run / "weights.json"
    file.write_text(json.dumps({**strict(file), **entries}))


def ensemble(made: Path, out: Path, members: str = "012", *more: object) -> Path:
    done("ensemble", *(made / one for one in members), "--out", out, *more)
    return out


def answers(run: Path) -> Predictions:
    """Of the evaluation of a run, with classes as `CLASSES` has them."""
    found = Predictions.read(run / "evaluation" / "main-test" / "predictions.csv")
    order = [found.classes.index(name) for name in CLASSES]
    return Predictions(
        "crop", tuple(CLASSES), found.table, found.probabilities[:, order], found.predicted
    )


def metrics(run: Path) -> dict[str, Any]:
    return strict(run / "evaluation" / "main-test" / "metrics.json")


def softmax(values: Floats) -> Floats:
    raised = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True))


@pytest.mark.parametrize("mean", ["probabilities", "logits"])
def test_an_ensemble_is_the_mean_of_its_members_predictions(
    made: Path, tmp_path: Path, mean: str
) -> None:
    """Each member by its own figures, network, stains and order of classes."""
    out = ensemble(made, tmp_path / "all", "012", "--mean", mean)
    done("evaluate", out, made / "store", *E)
    members, found = [answers(made / one) for one in "012"], answers(out)
    every = np.stack([one.probabilities for one in members])
    wanted = every.mean(0) if mean == "probabilities" else softmax(np.log(every).mean(0))
    np.testing.assert_allclose(found.probabilities, wanted, rtol=0, atol=1e-12)
    names = np.array(found.classes)[found.probabilities.argmax(1)]
    file = out / "evaluation" / "main-test" / "predictions.csv"
    assert list(Predictions.read(file).table["crop"]) == list(found.table["crop"])
    assert list(names) == list(np.array(CLASSES)[wanted.argmax(1)])
    assert np.abs(every[0] - every[1]).max() > 1e-3


def test_one_member_and_one_view_change_no_bit(made: Path, tmp_path: Path) -> None:
    out = ensemble(made, tmp_path / "one", "2")
    done("evaluate", out, made / "store", *E)
    again = Path(shutil.copytree(made / "2", tmp_path / "again"))
    done("evaluate", again, made / "store", "--views", 1, "--overwrite", *E)
    for folder in (out, again):
        for name in ("predictions.csv", "slides.csv", "patients.csv"):
            here, there = (
                (one / "evaluation" / "main-test" / name).read_bytes()
                for one in (folder, made / "2")
            )
            assert here == there
    assert (again / "evaluation/main-test/metrics.json").read_text().replace("again", "2") == (
        made / "2/evaluation/main-test/metrics.json"
    ).read_text()
    assert metrics(out)["overall"] == metrics(made / "2")["overall"]


def test_the_order_of_members_changes_rounding_alone(made: Path, tmp_path: Path) -> None:
    store = wsistore.open(made / "store")
    crops = list(store.crops["crop"])[:6]
    found = []
    for members in ("012", "201"):
        opened = open_run(ensemble(made, tmp_path / members, members))
        raw = logits(Answering.load(opened), store, crops)
        order = [opened.weights.classes.index(name) for name in CLASSES]
        found.append(softmax(raw)[:, order])
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("mean", ["probabilities", "logits"])
def test_the_mean_is_a_slow_transcription(mean: str) -> None:
    given = np.random.default_rng(0).normal(size=(5, 4)) * np.array([[1], [1], [40], [700], [1]])
    found = mean_logits(list(given), mean)
    if mean == "logits":
        np.testing.assert_array_equal(found, given.mean(0))
        return
    wanted = [sum(softmax(one)[k] for one in given) / 5 for k in range(4)]
    np.testing.assert_allclose(np.exp(found), wanted, rtol=1e-12)
    assert np.array_equal(mean_logits(list(given[3:4]), mean), given[3])


def test_views_are_turned_by_hand(made: Path) -> None:
    """Of a crop that is no square: each view goes alone through the network."""
    opened = Run.open(made / "1")
    about, network = opened.weights, opened.load_network()
    image = torch.randint(0, 256, (3, 40, 64), dtype=torch.uint8, generator=torch.Generator())
    for number in (2, 4, 8):
        (found,) = crop_logits(Answering(opened, (network,), number), [CropImage("c", "s", image)])
        chances = []
        for view in view_draws(number):
            turned = image if view is None else apply_geometry(view, image)
            with torch.inference_mode():
                said = network(normalize(to_unit(turned), about.mean, about.std)[None]).logits
            chances.append(softmax(said[0].double().numpy()))
        np.testing.assert_allclose(softmax(found), np.mean(chances, axis=0), rtol=1e-5)
    assert np.ptp(chances, axis=0).max() > 1e-4


class ColorMeans(Classifier):
    """A network that sees nothing but mean colours."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def extract(self, image: Tensor) -> Tensor:
        return image.mean((2, 3), keepdim=True)


@pytest.mark.parametrize("number", [2, 4, 8])
def test_views_change_nothing_for_a_network_of_colors_alone(made: Path, number: int) -> None:
    opened, network = Run.open(made / "0"), ColorMeans().eval()
    image = torch.randint(0, 256, (3, 30, 50), dtype=torch.uint8, generator=torch.Generator())
    one, several = (
        next(crop_logits(Answering(opened, (network,), n), [CropImage("c", "s", image)]))
        for n in (1, number)
    )
    np.testing.assert_allclose(softmax(several), softmax(one), rtol=1e-5)


@pytest.mark.parametrize("number", [2, 4, 8])
def test_a_crop_that_is_turned_has_the_same_answer(made: Path, number: int) -> None:
    opened = open_run(made / "0")
    answering = Answering(opened, opened.load_networks(), number)
    image = torch.randint(0, 256, (3, 40, 64), dtype=torch.uint8, generator=torch.Generator())
    found = [
        next(crop_logits(answering, [CropImage("c", "s", one)]))
        for one in (
            image if view is None else apply_geometry(view, image).contiguous()
            for view in view_draws(number)
        )
    ]
    for one in found[1:]:
        np.testing.assert_allclose(softmax(one), softmax(found[0]), rtol=1e-5)


def test_metrics_say_who_answers_and_count_all_passes(made: Path, tmp_path: Path) -> None:
    out = ensemble(made, tmp_path / "two", "02", "--views", 8)
    done("evaluate", out, made / "store", *E)
    found = metrics(out)
    assert (found["network"], found["epoch"]) == ("resnet10 + resnet18", None)
    assert (found["views"], found["mean"]) == (8, "probabilities")
    singles = [metrics(made / one) for one in "02"]
    assert [one["weights_sha256"] for one in found["members"]] == [
        one["weights_sha256"] for one in singles
    ]
    assert found["cost"]["parameters"] == sum(one["cost"]["parameters"] for one in singles)
    store = wsistore.open(made / "store")
    levels = store.levels[store.levels["level"] == "10x"].set_index("crop")
    crops = answers(out).table["crop"]
    networks = [Run.open(made / one).load_network() for one in "02"]

    @cache
    def passes(height: int, width: int) -> float:
        both = (gmac(one, height, width) + gmac(one, width, height) for one in networks)
        return 4 * sum(both)

    total = [
        passes(h, w)
        for h, w in zip(levels.loc[crops, "height"], levels.loc[crops, "width"], strict=True)
    ]
    assert found["cost"]["gmac_per_crop"]["mean"] == pytest.approx(np.mean(total), rel=1e-12)
    assert "views" not in singles[0]


def test_views_are_asked_for_or_kept_in_the_ensemble(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "0", tmp_path / "0"))
    done("evaluate", run, made / "store", "--views", 4, "--overwrite", *E)
    kept = ensemble(made, tmp_path / "kept", "0", "--views", 4)
    done("evaluate", kept, made / "store", *E)
    file = "evaluation/main-test/predictions.csv"
    assert (
        (run / file).read_bytes() == (kept / file).read_bytes() != (made / "0" / file).read_bytes()
    )
    assert metrics(run)["views"] == metrics(kept)["views"] == 4
    assert metrics(run)["cost"]["gmac_per_crop"]["mean"] == pytest.approx(
        4 * metrics(made / "0")["cost"]["gmac_per_crop"]["mean"]
    )
    refused = distill("evaluate", run, made / "store", "--views", 3, *E)
    assert refused.exit_code == 2


def test_a_head_on_stored_vectors_has_no_views(made: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "head", made / "store", 7, embeddings={"path": "there"})
    refused = distill("evaluate", run, made / "store", "--views", 2, *E)
    assert refused.exit_code == 2
    assert "is a head on stored vectors, which answers about the crops as they" in refused.stderr


def test_a_temperature_is_of_one_number_of_views(made: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made / "0", tmp_path / "0"))
    file = run / "evaluation" / "main-test" / "metrics.json"
    fitted = {"subset": "val", "crops": 5, "temperature": 1.5}
    file.write_text(json.dumps({**strict(file), "views": 4, "calibration": fitted}))
    opened = Run.open(run)
    weights = opened.weights_sha256()
    assert run_calibration(opened, weights, views=4).temperature == 1.5
    found = run_calibration(opened, weights)
    assert (found.temperature, found.calibrated) == (1.0, False)
    assert "those of its evaluations are of other numbers of views" in found.said
    with pytest.raises(DistillError, match="is of another number of views of a crop"):
        run_calibration(opened, weights, file=file)


def test_patients_of_any_member_are_seen_by_the_ensemble(made: Path, tmp_path: Path) -> None:
    """The second member was trained on what is to be tested, and says so from its copy."""
    store = Path(shutil.copytree(made / "store", tmp_path / "store"))
    swapped = {"test": "train", "train": "test"}
    write_split(store, "other", [(*row[:4], swapped[row[4]]) for row in rows()])
    seen = make_run(tmp_path / "seen", store, 8, subset="train")
    config = strict(seen / "config.json")
    digest = wsistore.open(store).split_sha256("other")
    (seen / "config.json").write_text(
        json.dumps({**config, "split": "other", "split_sha256": digest})
    )
    both = tmp_path / "both"
    done("ensemble", made / "0", seen, "--out", both)
    shutil.rmtree(seen)
    refused = distill("evaluate", both, store, *E)
    assert refused.exit_code == 1
    assert (
        f"{both} was made from {both}/members/2, and that was trained on patient" in refused.stderr
    )
    done("evaluate", both, store, "--allow-training-patients", *E)
    assert metrics(both)["training_patients"] == 5
    alone = ensemble(made, tmp_path / "alone", "0")
    done("evaluate", alone, store, *E)
    assert metrics(alone)["training_patients"] == 0


def test_a_report_and_a_deferral_show_an_ensemble_as_what_it_is(made: Path, tmp_path: Path) -> None:
    out = ensemble(made, tmp_path / "two", "01", "--views", 2)
    done("evaluate", out, made / "store", *E)
    done("report", made / "0", out, made / "store", "--out", tmp_path / "report")
    lines = (tmp_path / "report" / "tables" / "cost.csv").read_text().splitlines()
    (row,) = [line for line in lines if ",two," in line]
    assert '"two, 2 views"' in row
    assert row.endswith("2 × resnet10")
    (row,) = [line for line in (tmp_path / "report/tables/runs.csv").read_text().splitlines()
              if ",two," in line]  # fmt: skip
    assert ",ensemble,,0,,of each member," in row
    done("defer", made / "0", out, made / "store", "--out", tmp_path / "defer", "--points", 3)
    last = (tmp_path / "defer" / "curve.csv").read_text().splitlines()[-1]
    both = sum(metrics(one)["cost"]["gmac_per_crop"]["mean"] for one in (made / "0", out))
    assert str(both) in last


def test_crops_are_read_once_for_all_networks_and_do_not_pile_up(
    made: Path, tmp_path: Path
) -> None:
    opened = open_run(ensemble(made, tmp_path / "all", "12", "--views", 2))
    answering = Answering.load(opened)
    sizes = [(40, 48), (48, 40), (200, 120), (40, 48), (210, 110), (220, 100)]
    alive: list[int] = []
    given = 0

    def crops() -> Iterator[CropImage]:
        nonlocal given
        for number, size in enumerate(sizes):
            image = torch.full((3, *size), number, dtype=torch.uint8)
            if size[0] >= 200:
                alive.append(number)
                weakref.finalize(image, alive.remove, number)
            given += 1
            most.append(len(alive))
            yield CropImage(f"s/{number}", "s", image)
            del image

    most: list[int] = []
    look = CropRunner(None, 20_000, learns=False)
    found = list(crop_logits(answering, crops(), look))
    assert len(found) == given == len(sizes)
    assert max(most) <= 2  # the one that has been seen, and the next
