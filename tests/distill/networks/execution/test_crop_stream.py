"""Crops that come one by one pass in batches of their slide, and each has what it has alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from distill.data.normalization import ChannelStats
from distill.errors import DistillError
from distill.networks import (
    Classifier,
    CropImage,
    CropRunner,
    CropViewer,
    Eye,
    LiveMemory,
    Output,
    ResNet,
    build,
    inference_runner,
)
from distill.networks.execution import runner
from distill.networks.execution.memory import OVERHEAD, WINDOW, memory_of_whole, pixels_that_fit

CPU = torch.device("cpu")
STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.3))
ODD = [(40, 44), (33, 90), (41, 42), (90, 35), (44, 44), (36, 92), (200, 150), (42, 40), (38, 43)]
ALIKE = [(64, 64), (48, 80), (64, 64), (64, 64), (130, 140), (48, 80), (64, 64)]
CNN = "timm/test_efficientnet"


class Noting(CropRunner):
    """Notes the sizes of the crops of each pass, and the bytes said to be held meanwhile."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given, learns=False)
        self.passes: list[list[tuple[int, int]]] = []
        self.held: list[int] = []

    def __call__(self, *given: Any) -> list[Output]:
        self.passes.append([(image.shape[1], image.shape[2]) for image in given[1]])
        self.held.append(given[5][0])
        return super().__call__(*given)


def images(
    slide: str, sizes: Sequence[tuple[int, int]], asked: list[str] | None = None
) -> Iterator[CropImage]:
    made = torch.Generator().manual_seed(len(slide) + len(sizes))
    for number, (height, width) in enumerate(sizes):
        crop = f"{slide}/{number}"
        if asked is not None:
            asked.append(crop)
        pixels = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=made)
        yield CropImage(crop, slide, pixels)


def network(name: str) -> nn.Module:
    made = build(name, 3, seed=1).eval()
    random = torch.Generator().manual_seed(2)
    for key, value in made.state_dict().items():  # batch norms that have seen something
        if key.endswith("running_mean"):
            value.normal_(0, 0.1, generator=random)
        if key.endswith("running_var"):
            value.uniform_(0.5, 2, generator=random)
    return made


def both(crop: str, output: Output) -> tuple[Tensor, Tensor]:
    assert output.features.is_inference()
    return output.logits.clone(), output.features.clone()


class OneEyed:
    """A viewer of one network and one view, which gives the one result of a crop."""

    def __init__(self, viewer: CropViewer[Any]) -> None:
        self._viewer = viewer

    def see(self, crops: Iterable[CropImage]) -> Iterator[tuple[str, Any]]:
        for crop, found in self._viewer.see(crops):
            if isinstance(found, list):
                (found,) = found
            yield crop, found


def viewer(seen_by: nn.Module, look: CropRunner, take: Any = both) -> OneEyed:
    return OneEyed(CropViewer([Eye(seen_by, STANDARD)], look, "5x", take))


@pytest.mark.parametrize(("name", "sizes"), [("resnet10", ODD), (CNN, ALIKE)])
def test_each_crop_has_what_it_has_alone(name: str, sizes: list[tuple[int, int]]) -> None:
    if name == CNN:
        pytest.importorskip("timm")
    given, look = network(name), Noting(None, 20_000)
    alone = list(viewer(given, CropRunner(learns=False)).see(images("s", sizes)))
    found = list(viewer(given, look).see(images("s", sizes)))
    assert max(map(len, look.passes)) >= 3
    if name == CNN:
        assert all(len(set(batch)) == 1 for batch in look.passes)
    else:
        assert any(len(set(batch)) > 1 for batch in look.passes)
    assert [crop for crop, _ in found] == [f"s/{n}" for n in range(len(sizes))]
    for (_, one), (_, other) in zip(found, alone, strict=True):
        for value, wanted in zip(one, other, strict=True):
            torch.testing.assert_close(
                value, wanted, rtol=2e-5, atol=2e-5 * float(wanted.abs().max())
            )


def test_a_slide_has_the_same_bits_with_others_and_alone() -> None:
    given = network("resnet10")
    slides = {"a": ODD[:3], "bb": ODD, "ccc": ODD[2:]}
    look = Noting(None, 20_000)
    together = dict(
        viewer(given, look).see(one for slide in slides for one in images(slide, slides[slide]))
    )
    (passes, look.passes) = (look.passes, [])
    for slide, sizes in slides.items():
        for crop, found in viewer(given, look).see(images(slide, sizes)):
            for value, wanted in zip(found, together.pop(crop), strict=True):
                assert torch.equal(value, wanted)
    assert not together
    assert passes == look.passes
    assert max(map(len, passes)) >= 3


def test_a_crop_has_the_same_bits_whichever_others_are_wanted() -> None:
    """A batch of which none is wanted does not pass, nor does a large crop that nobody wants."""
    given, sizes = network("resnet10"), [*ODD, (200, 190), *ODD, (210, 180)]
    whole, look = Noting(None, 20_000), Noting(None, 20_000)
    every = dict(viewer(given, whole).see(images("s", sizes)))
    wanted = {"s/0", "s/4", f"s/{len(sizes) - 1}"}
    some = (
        one if one.crop in wanted else
        replace(one, image=torch.zeros((), dtype=torch.uint8).expand(one.image.shape), wanted=False)
        for one in images("s", sizes)
    )  # fmt: skip
    found = dict(viewer(given, look).see(some))
    assert found.keys() == wanted
    for crop, values in found.items():
        assert all(map(torch.equal, values, every[crop]))
    assert [(210, 180)] in look.passes
    assert [(200, 190)] not in look.passes
    assert len(look.passes) < len(whole.passes)


def test_what_waits_is_bounded_and_a_large_crop_does_not_wait() -> None:
    limit, side = 8_000, 32
    sizes = [(side, side)] * 70
    sizes[20] = (100, 120)
    asked: list[str] = []
    look, waited = Noting(None, limit), []

    class Watching(Noting):
        def __call__(self, *given: Any) -> list[Output]:
            waited.append(len(asked) - sum(map(len, self.passes)))
            return super().__call__(*given)

    look = Watching(None, limit)
    found = list(viewer(network("resnet10"), look).see(images("s", sizes, asked)))
    assert [crop for crop, _ in found] == asked
    assert look.passes[0] == [(100, 120)]
    assert look.held[0] == 20 * 3 * side**2
    assert max(map(len, look.passes)) == limit // side**2
    # the one that is too many has been asked for
    assert limit // side**2 < max(waited) <= WINDOW * limit // side**2 + 1


def test_batch_pixels_of_none_takes_crops_one_by_one_as_they_come() -> None:
    asked: list[str] = []
    look = Noting(None, 0)
    for number, (crop, _) in enumerate(
        viewer(network("resnet10"), look).see(images("s", ODD, asked))
    ):
        assert crop == f"s/{number}"
        assert len(asked) <= number + 2
    assert [len(batch) for batch in look.passes] == [1] * len(ODD)


def test_an_error_is_of_the_crop_at_fault() -> None:
    def take(crop: str, output: Output) -> float:
        if crop == "s/2":
            raise DistillError(f"{crop} is odd")
        return float(output.logits[0, 0])

    found = dict(viewer(network("resnet10"), Noting(None, 20_000), take).see(images("s", ODD)))
    assert {crop: str(e) for crop, e in found.items() if isinstance(e, Exception)} == {
        "s/2": "s/2 is odd"
    }
    assert len(found) == len(ODD)


def test_memory_that_is_too_small_names_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    given, look = network("resnet10"), CropRunner(None, 20_000, learns=False)
    passed = CropRunner.__call__

    def short(self: CropRunner, *given: Any) -> list[Output]:
        if (41, 42) in [tuple(image.shape[1:]) for image in given[1]]:
            raise torch.OutOfMemoryError
        return passed(self, *given)

    monkeypatch.setattr(CropRunner, "__call__", short)
    found = dict(viewer(given, look).see(images("s", ODD)))
    errors = {crop: str(e) for crop, e in found.items() if isinstance(e, Exception)}
    assert "s/2" in errors
    assert 1 < len(errors) < len(ODD)
    (said,) = set(errors.values())
    assert said.startswith(f"a batch of {len(errors)} crops, the largest s/")
    assert said.endswith("lower --batch-pixels or --memory, or use --device cpu")
    look.batch_pixels = 0
    found = dict(viewer(given, look).see(images("s", ODD)))
    assert [str(e) for e in found.values() if isinstance(e, Exception)] == [
        "crop s/2 (41 × 42 px at 5x) does not fit in the device's memory; lower --memory or use "
        "--device cpu"
    ]


@pytest.mark.parametrize("name", ["resnet10", CNN, "timm/test_vit"])
def test_a_batch_takes_no_more_than_was_counted(name: str) -> None:
    if name != "resnet10":
        pytest.importorskip("timm")
    given, side = network(name), 96
    assert isinstance(given, Classifier)
    room = OVERHEAD + 30 * (memory_of_whole(given, side, side, learns=False) - OVERHEAD)
    look = CropRunner(room, 10**9, learns=False)
    odd = isinstance(given, ResNet)
    some = [torch.zeros(3, side - odd * (n % 2), side, dtype=torch.uint8) for n in range(60)]
    (batch, *_) = look.batches(given, some, [None] * len(some))
    assert 1 < len(batch) < 60
    live = LiveMemory()
    with torch.inference_mode(), live:
        look(given, [some[place] for place in batch], [None] * len(batch), STANDARD, CPU)
    waiting = 3 * WINDOW * look.limit(given)
    assert 0.2 * (room - OVERHEAD) < live.peak + waiting <= room - OVERHEAD


def test_attention_on_larger_crops_than_the_limit_goes_by_is_counted() -> None:
    pytest.importorskip("timm")
    given, side = network("timm/test_vit"), 640
    room = OVERHEAD + 4 * (memory_of_whole(given, side, side, learns=False) - OVERHEAD)
    look = CropRunner(room, 10**9, learns=False)
    image = torch.zeros(3, side, side, dtype=torch.uint8)
    batches = look.batches(given, [image] * 8, [None] * 8)
    assert max(map(len, batches)) <= 3  # beside what waits
    assert sorted(place for batch in batches for place in batch) == list(range(8))
    for batch in batches:
        again = look.batches(given, [image] * len(batch), [None] * len(batch))
        assert again == [tuple(range(len(batch)))]


def test_memory_is_counted_once_for_crops_that_are_no_larger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("timm")
    given, counted = network(CNN), []

    def count(*arguments: Any, **more: Any) -> int:
        counted.append(arguments[1:])
        return memory_of_whole(*arguments, **more)

    monkeypatch.setattr(runner, "memory_of_whole", count)
    look = CropRunner(2**30, 0, learns=False)
    sizes = [(90, 80), (64, 80), (90, 79), (91, 40), (60, 30)]
    list(viewer(given, look).see(images("s", sizes)))
    assert counted == [(90, 80), (91, 40)]
    least = memory_of_whole(given, 90, 80, learns=False)
    tight = CropRunner(least, 0, learns=False)
    found = dict(viewer(given, tight).see(images("s", [(90, 80), (130, 140), (64, 80)])))
    assert [isinstance(one, DistillError) for one in found.values()] == [False, True, False]
    assert "a crop of 130 × 140 pixels needs" in str(found["s/1"])


def test_a_network_that_only_answers_has_smaller_batches_on_the_cpu_unless_told() -> None:
    assert inference_runner(CPU, 4).batch_pixels == 2**16
    assert inference_runner(CPU, 4, 0).batch_pixels == 0
    given = network("resnet10")
    assert pixels_that_fit(given, 2**30, learns=False) < pixels_that_fit(given, 2**30)
