import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from distill.data.augmentation import AugmentationParams, sample_params
from distill.data.batching import by_size
from distill.data.dataset import Sample
from distill.data.loader import order
from distill.engine.compute_settings import ComputeSettings
from distill.engine.optimizers import make_optimizer
from distill.engine.settings import TrainingSettings
from distill.engine.trainer import fit, train_epoch, validate
from distill.errors import TrainingError
from distill.runs.checkpoint import TrainingState
from distill.runs.run import Run
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from tests.distill.listed import Listed

WEIGHTS = Weights("resnet10", ["a", "b"], "10x", 1.0, (0.5,) * 3, (0.1,) * 3, 0, "test")


def listed(images: Tensor, seed: int | None = 0) -> Listed[Sample]:
    samples = [Sample(f"s/{i}", i, {"x": image}) for i, image in enumerate(images)]
    return Listed(samples, seed)


class Linear:
    """A task whose loss is a linear network's squared output; `given` records the draws."""

    level = "x"
    levels = ("x",)

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network: nn.Module = nn.Linear(12, 1).double()
        self.given: list[tuple[int, AugmentationParams | None]] = []
        self.batches: list[int] = []

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.network.parameters()

    def head(self) -> Iterator[nn.Parameter]:
        return self.network.parameters()

    def view(self, crop: str, chosen: AugmentationParams | None) -> AugmentationParams | None:
        return chosen

    def losses(
        self, samples: Sequence[Sample], draws: Sequence[AugmentationParams | None]
    ) -> list[dict[str, Tensor]]:
        self.batches.append(len(samples))
        return [self.loss(sample, chosen) for sample, chosen in zip(samples, draws, strict=True)]

    def loss(self, sample: Sample, chosen: AugmentationParams | None) -> dict[str, Tensor]:
        self.given.append((sample.index, chosen))
        value = self.network(sample.images["x"].reshape(-1).double()).square().squeeze()
        return {"loss": value, "half": value.detach() / 2}


class Quiet:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.crops: list[tuple[int, str]] = []

    def crop(self, epoch: int, subset: str) -> None:
        self.crops.append((epoch, subset))

    def epoch(self, record: dict[str, Any]) -> None:
        self.records.append(record)


class Recording(torch.optim.SGD):
    """Notes the gradient of every update."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=0.0)
        self.seen: list[Tensor] = []

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        self.seen.append(torch.cat([p.grad.flatten() for p in self.param_groups[0]["params"]]))


@pytest.fixture
def _global_state() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        yield


pytestmark = pytest.mark.usefixtures("_global_state")
IMAGES = torch.rand(7, 3, 2, 2, generator=torch.Generator().manual_seed(5)) + 0.1


@pytest.mark.parametrize("accumulate", [1, 3, 7, 32])
def test_every_group_even_the_last_has_the_gradient_of_its_batch(accumulate: int) -> None:
    task = Linear()
    recording = Recording(task.parameters())
    train_epoch(
        task, listed(IMAGES), recording, TrainingSettings(accumulate=accumulate), 2, Quiet()
    )
    indices = order(0, 2, 7)
    groups = [indices[i : i + accumulate] for i in range(0, 7, accumulate)]
    assert len(recording.seen) == len(groups)
    for group, seen in zip(groups, recording.seen, strict=True):
        task.network.zero_grad()
        batch = IMAGES[group].reshape(len(group), -1).double()
        task.network(batch).square().mean().backward()
        wanted = torch.cat([p.grad.flatten() for p in task.parameters()])
        torch.testing.assert_close(seen, wanted, rtol=1e-12, atol=1e-14)


def test_means_are_over_all_crops_and_only_training_is_augmented() -> None:
    task, quiet = Linear(), Quiet()
    schedule = TrainingSettings(accumulate=3, seed=4)
    trained = train_epoch(task, listed(IMAGES, 4), Recording(task.parameters()), schedule, 1, quiet)
    assert task.network.training
    assert task.given == [(i, sample_params(4, 1, i)) for i in order(4, 1, 7)]
    task.given.clear()
    validated = validate(task, listed(IMAGES, None), 1, quiet)
    assert not task.network.training
    assert task.given == [(i, None) for i in range(7)]
    outputs = task.network(IMAGES.reshape(7, -1).double()).square().detach()
    for figures in (trained, validated):
        assert figures["loss"] == pytest.approx(float(outputs.mean()), rel=1e-12)
        assert figures["half"] == pytest.approx(float(outputs.mean()) / 2, rel=1e-12)
    assert quiet.crops == [(1, "train")] * 7 + [(1, "val")] * 7


def test_a_loss_that_is_not_finite_stops_before_it_reaches_the_weights() -> None:
    task = Linear()
    images = IMAGES.clone()
    images[3] = torch.nan
    before = [p.detach().clone() for p in task.parameters()]
    adam = make_optimizer(task, TrainingSettings())
    with pytest.raises(TrainingError, match=r"loss of crop s/3 in epoch 1 is nan; try a lower"):
        train_epoch(task, listed(images), adam, TrainingSettings(), 1, Quiet())
    for parameter, value in zip(task.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
    with pytest.raises(TrainingError, match="s/3"):
        validate(task, listed(images, None), 1, Quiet())


def test_memory_that_runs_out_names_the_crop_and_its_size() -> None:
    class Large(Linear):
        def loss(self, sample: Sample, chosen: AugmentationParams | None) -> dict[str, Tensor]:
            raise torch.OutOfMemoryError("CUDA out of memory")

    task = Large()
    with pytest.raises(TrainingError, match=r"crop s/\d \(2 × 2 px at x\) does not fit"):
        train_epoch(
            task, listed(IMAGES), Recording(task.parameters()), TrainingSettings(), 1, Quiet()
        )


def losses_of(task: Linear, values: list[float]) -> None:
    """Make validation return these losses, epoch by epoch."""
    given = iter(values)
    real = task.loss

    def loss(sample: Sample, chosen: AugmentationParams | None) -> dict[str, Tensor]:
        return real(sample, chosen) if chosen else {"loss": torch.tensor(next(given))}

    task.loss = loss  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("select", "values", "kept"),
    [("best", [3.0, 1.0, 1.0, 2.0], 2), ("last", [1.0, 2.0, 3.0, 4.0], 4), ("best", [], 4)],
)
def test_the_weights_kept_are_the_best_or_the_last(
    tmp_path: Path, select: str, values: list[float], kept: int
) -> None:
    task, quiet = Linear(), Quiet()
    losses_of(task, values)
    val = listed(IMAGES[:1], None) if values else None
    schedule = TrainingSettings(epochs=4, select=select)
    writer = RunWriter(tmp_path / "run", {}, WEIGHTS)
    assert fit(task, listed(IMAGES), val, schedule, writer, quiet).kept == kept
    assert Run.open(tmp_path / "run").weights.epoch == kept
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == quiet.records
    assert [record["epoch"] for record in quiet.records] == [1, 2, 3, 4]
    assert max(r["epoch"] for r in quiet.records if r["kept"]) == kept


@pytest.mark.parametrize("most", [1, 2, 3, 4, 8])
def test_a_group_cut_into_batches_has_the_same_gradient(most: int) -> None:
    task = Linear()
    whole, cut = Recording(task.parameters()), Recording(task.parameters())
    schedule = TrainingSettings(accumulate=5)
    train_epoch(task, listed(IMAGES), whole, schedule, 1, Quiet())
    asked = sorted(index for index, _ in task.given)
    task.given.clear()
    task.batches.clear()
    setting = ComputeSettings(cut=by_size(1000, most))
    train_epoch(task, listed(IMAGES), cut, schedule, 1, Quiet(), setting)
    assert sorted(index for index, _ in task.given) == asked
    assert all(chosen == sample_params(0, 1, index) for index, chosen in task.given)
    assert max(task.batches) == min(most, 5)
    for a, b in zip(whole.seen, cut.seen, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-14, atol=1e-15)


def test_what_no_loss_reaches_is_left_where_it_is() -> None:
    task = Linear()
    beside = nn.Parameter(torch.ones(2))
    adam = torch.optim.Adam([*task.parameters(), beside], weight_decay=0.5)
    train_epoch(task, listed(IMAGES), adam, TrainingSettings(), 1, Quiet())
    assert torch.equal(beside, torch.ones(2))


def test_patience_stops_and_says_why(tmp_path: Path) -> None:
    task, quiet = Linear(), Quiet()
    losses_of(task, [3.0, 2.0, 2.0, 2.5, 1.0])
    schedule = TrainingSettings(epochs=9, patience=2)
    writer = RunWriter(tmp_path / "run", {}, WEIGHTS)
    progress = fit(task, listed(IMAGES), listed(IMAGES[:1], None), schedule, writer, quiet)
    wanted = TrainingState(4, 2.0, 2, 2, "no lower validation loss in 2 epochs")
    assert progress == wanted
    outcome = json.loads((tmp_path / "run" / "outcome.json").read_text())
    assert outcome["ended"] == "no lower validation loss in 2 epochs"
    assert (outcome["epochs"], outcome["kept"], outcome["chosen"]) == (4, 2, "test")
    assert outcome["figures"]["val"] == {"loss": 2.0}


def test_bf16_computes_in_bf16_and_learns_in_float32() -> None:
    seen = []

    class Watched(Linear):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Linear(12, 1)

        def loss(self, sample: Sample, chosen: AugmentationParams | None) -> dict[str, Tensor]:
            value = self.network(sample.images["x"].reshape(-1))
            seen.append(value.dtype)
            return {"loss": value.float().square().squeeze()}

    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        seen.clear()
        task = Watched()
        recording = Recording(task.parameters())
        setting = ComputeSettings(precision=precision)
        train_epoch(task, listed(IMAGES), recording, TrainingSettings(), 1, Quiet(), setting)
        assert set(seen) == {dtype}
        assert recording.seen[0].dtype == torch.float32


@pytest.mark.parametrize("limit", [1e-3, 0.7, 1e6])
@pytest.mark.parametrize("most", [1, 3])
def test_the_gradient_of_the_whole_group_is_clipped(limit: float, most: int) -> None:
    task = Linear()
    recording = Recording(task.parameters())
    setting = ComputeSettings(cut=by_size(1000, most))
    schedule = TrainingSettings(accumulate=5, clip_norm=limit)
    train_epoch(task, listed(IMAGES), recording, schedule, 1, Quiet(), setting)
    indices = order(0, 1, 7)
    for group, seen in zip((indices[:5], indices[5:]), recording.seen, strict=True):
        task.network.zero_grad()
        batch = IMAGES[group].reshape(len(group), -1).double()
        task.network(batch).square().mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(task.parameters(), limit)
        assert (seen.norm() < norm) == bool(norm > limit)
        wanted = torch.cat([p.grad.flatten() for p in task.parameters()])
        torch.testing.assert_close(seen, wanted, rtol=1e-12, atol=1e-14)
