"""Networks of other libraries, and ours with another input."""

import sys
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from distill.errors import UsageError
from distill.networks import (
    BackboneClassifier,
    NetworkSpec,
    build,
    build_resnet,
    feature_map,
    smallest_input,
)
from distill.networks.backbones import Backbone

IMAGE = torch.rand(2, 3, 70, 41, generator=torch.Generator().manual_seed(0))
timm: Any = pytest.importorskip("timm", reason="timm is an optional extra")


def made(name: str, classes: int = 4, **more: Any) -> BackboneClassifier:
    network = build(NetworkSpec(name, **more), classes, seed=3)
    assert isinstance(network, BackboneClassifier)
    return network.eval()


def shaken(network: nn.Module) -> nn.Module:
    """Give batch norms figures that are not 0 and 1."""
    generator = torch.Generator().manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("resnet18", (512, 3, 2)),
        ("efficientnet_b0", (1280, 3, 2)),
        ("densenet121", (1024, 2, 1)),
        ("swin_t", (768, 3, 2)),
        ("regnet_y_400mf", (440, 3, 2)),
    ],
)
def test_a_torchvision_map_is_what_its_classifier_pools(
    name: str, shape: tuple[int, int, int]
) -> None:
    network = made(f"torchvision/{name}")
    theirs = torchvision.models.get_model(name, weights=None).eval()
    theirs.load_state_dict(network.backbone.network.state_dict(), strict=False)
    features = network.extract(IMAGE)
    assert features.shape == (2, *shape)
    pooled: list[Tensor] = []
    heads = [n for n in ("fc", "classifier", "head") if hasattr(theirs, n)]
    getattr(theirs, heads[0]).register_forward_pre_hook(lambda _, given: pooled.append(given[0]))
    theirs(IMAGE)
    torch.testing.assert_close(features.mean((2, 3)), pooled[0].flatten(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("test_efficientnet", (256, 3, 2)),
        ("test_convnext", (64, 2, 1)),
        ("test_vit", (64, 5, 3)),
        ("swin_tiny_patch4_window7_224", None),
    ],
)
def test_a_timm_map_is_its_forward_features(name: str, shape: tuple[int, int, int] | None) -> None:
    if shape is None:
        with pytest.raises(UsageError, match="does not take images of any size"):
            smallest_input(f"timm/{name}")
        return
    network = made(f"timm/{name}")
    raw = network.backbone.network.forward_features(IMAGE)  # type: ignore[operator]
    features = network.extract(IMAGE)
    assert features.shape == (2, *shape)
    if raw.ndim == 3:  # the class token comes first, then the patches row by row
        torch.testing.assert_close(features[:, :, 2, 1], raw[:, 1 + 2 * 3 + 1])
    else:
        torch.testing.assert_close(features, raw)


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec("torchvision/resnet18"),
        NetworkSpec("timm/test_efficientnet"),
        NetworkSpec("timm/test_convnext"),
        NetworkSpec("timm/test_vit"),
        NetworkSpec("resnet10", enlarge=3),
        NetworkSpec("resnet10", stem_stride=1),
    ],
    ids=lambda spec: spec.text,
)
def test_cells_channels_and_the_smallest_input_are_as_the_network_has_them(
    spec: NetworkSpec,
) -> None:
    network, least = build(spec, 2).eval(), smallest_input(spec)
    map_ = feature_map(network)
    for height, width in ((70, 41), (33, 95), (least, least), (least, least + 1)):
        features = network(torch.zeros(1, 3, height, width)).features
        assert features.shape == (1, map_.channels, *map_.cells(height, width))
    if least > 1:
        with pytest.raises((RuntimeError, ValueError, AssertionError)):
            network(torch.zeros(1, 3, least - 1, least - 1))


def test_initial_weights_follow_from_name_classes_and_seed() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (build("timm/test_vit", 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    held = again.state_dict()
    assert all(torch.equal(value, held[key]) for key, value in first.state_dict().items())
    assert not torch.equal(first.head.weight, other.head.weight)


def test_ours_enlarged_is_ours_on_an_enlarged_image() -> None:
    network = made("resnet10", enlarge=2)
    plain = build_resnet("resnet10", 4).eval()
    held = network.backbone.network.state_dict()
    plain.load_state_dict(held | {f"head.{k}": v for k, v in network.head.state_dict().items()})
    larger = nn.functional.interpolate(IMAGE, scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(network(IMAGE).logits, plain(larger).logits)
    assert feature_map(network).stride == 16


@pytest.mark.parametrize("name", ["timm/test_efficientnet", "torchvision/resnet18", "resnet10"])
def test_a_finer_stem_gives_a_finer_map_with_the_same_weights(name: str) -> None:
    coarse, fine = build(name, 2), build(NetworkSpec(name, stem_stride=1), 2)
    assert feature_map(fine).stride * 2 == feature_map(coarse).stride
    shapes = [sorted(tuple(p.shape) for p in network.parameters()) for network in (coarse, fine)]
    assert shapes[0] == shapes[1]


def test_a_stem_that_would_leave_pixels_out_is_refused() -> None:
    with pytest.raises(UsageError, match="would leave out some between"):
        build(NetworkSpec("timm/test_efficientnet", stem_stride=9), 2)


@pytest.mark.parametrize("name", ["timm/test_efficientnet", "torchvision/resnet18"])
def test_group_norms_take_the_place_of_batch_norms(name: str) -> None:
    network = build(NetworkSpec(name, norm_to="group"), 2)
    kinds = [type(module) for module in network.modules()]
    batch = [type(module) for module in build(name, 2).modules()]
    norms = sum(issubclass(kind, nn.BatchNorm2d) for kind in batch)
    assert norms
    assert kinds.count(nn.GroupNorm) == norms
    assert not any(issubclass(kind, nn.BatchNorm2d) for kind in kinds)
    network.eval()(IMAGE).logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    "name", ["timm/test_efficientnet", "timm/test_vit", "torchvision/resnet18"]
)
def test_a_result_in_training_does_not_depend_on_its_neighbors(
    name: str, device: torch.device
) -> None:
    network = build(name, 3).train()
    shaken(network)
    network.to(device)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    together, alone = network(IMAGE.to(device)), network(IMAGE[1:].to(device))
    near = 1e-5 if device.type == "cpu" else 1e-4
    torch.testing.assert_close(together.logits[1:], alone.logits, rtol=1e-4, atol=near)
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("timm/test_efficientnet", 2),
        ("timm/test_vit", 2),
        ("torchvision/resnet18", 5),
        ("torchvision/efficientnet_b0", 9),
        ("resnet10", 5),
    ],
)
def test_stages_hold_every_parameter_once_from_the_input_on(name: str, stages: int) -> None:
    network = build(name, 2)
    held = network.stage_parameters()
    assert len(held) >= stages
    ids = [id(p) for stage in held for p in stage]
    assert len(ids) == len(set(ids))
    rest = {id(p) for p in network.parameters()} - set(ids)
    assert rest == {id(p) for p in network.head.parameters()}
    first = next(p for p in network.parameters() if p.ndim == 4)
    assert any(p is first for p in held[0])


def test_a_backbone_stays_in_evaluation_mode() -> None:
    network = build("torchvision/efficientnet_b0", 2).train()
    assert network.training
    assert isinstance(network, BackboneClassifier)
    assert isinstance(network.backbone, Backbone)
    assert not any(module.training for module in network.backbone.modules())


def test_figures_are_those_of_the_library() -> None:
    assert made("torchvision/resnet18").backbone.figures == (
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
    )
    config = timm.create_model("tf_efficientnet_lite0").pretrained_cfg
    figures = made("timm/tf_efficientnet_lite0").backbone.figures
    assert figures == (tuple(config["mean"]), tuple(config["std"]))
    assert made("resnet10", enlarge=2).backbone.figures is None


def test_what_cannot_be_made_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="torchvision has no such classifier"):
        build("torchvision/resnet19", 4)
    with pytest.raises(UsageError, match="it pools no feature map"):
        build("torchvision/vit_b_16", 4)
    with pytest.raises(UsageError, match="timm has no such network"):
        build("timm/resnet19000", 4)
    with pytest.raises(UsageError, match="with --network-option nonsense=1 cannot be made"):
        build(NetworkSpec("timm/test_vit", {"nonsense": 1}), 4)
    with pytest.raises(UsageError, match="with --network-option nonsense=1 cannot be made"):
        build(NetworkSpec("torchvision/resnet18", {"nonsense": 1}), 4)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"needs timm: pip install '.*\[timm\]'"):
        build("timm/resnet18", 4)
