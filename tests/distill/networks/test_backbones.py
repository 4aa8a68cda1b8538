"""Teachers of other libraries."""

import sys
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from distill.errors import RunError, UsageError
from distill.networks import backbones

IMAGE = torch.rand(2, 3, 70, 41, generator=torch.Generator().manual_seed(0))


def saved(path: Path, network: nn.Module) -> Path:
    save_file(network.state_dict(), path)
    return path


def test_a_torchvision_network_teaches_logits_and_the_map_before_its_pool(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18(num_classes=4)
    teacher = backbones.load("torchvision/resnet18", saved(tmp_path / "w.safetensors", theirs), 4)
    assert not teacher.training
    assert not any(p.requires_grad for p in teacher.parameters())
    taught = teacher(IMAGE)
    assert taught.logits is not None
    assert taught.features.shape == (2, 512, 3, 2)
    torch.testing.assert_close(taught.logits, theirs.eval()(IMAGE).detach())
    head = theirs.fc(taught.features.mean((2, 3))).detach()
    torch.testing.assert_close(head, taught.logits, rtol=1e-4, atol=1e-5)


def test_without_classes_there_are_no_logits(tmp_path: Path) -> None:
    theirs = torchvision.models.resnet18()
    teacher = backbones.load(
        "torchvision/resnet18", saved(tmp_path / "w.safetensors", theirs), None
    )
    taught = teacher(IMAGE)
    assert taught.logits is None
    assert taught.features.shape == (2, 512, 3, 2)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("resnet18", {}, (512, 3, 2)),
        ("vit_tiny_patch16_224", {"dynamic_img_size": True, "dynamic_img_pad": True}, (192, 5, 3)),
    ],
)
def test_timm_networks_teach(
    tmp_path: Path, name: str, options: dict[str, bool], shape: tuple[int, int, int]
) -> None:
    timm = pytest.importorskip("timm", reason="timm is an optional extra")
    theirs = timm.create_model(name, pretrained=False, num_classes=0, **options).eval()
    path = saved(tmp_path / "w.safetensors", theirs)
    taught = backbones.load(f"timm/{name}", path, None, options=options)(IMAGE)
    assert taught.logits is None
    assert taught.features.shape == (2, *shape)
    raw = theirs.forward_features(IMAGE).detach()
    if raw.ndim == 3:  # the class token comes first, then the patches row by row
        torch.testing.assert_close(taught.features[:, :, 2, 1], raw[:, 1 + 2 * 3 + 1])
    else:
        torch.testing.assert_close(taught.features, raw)


def test_what_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "w.safetensors", torchvision.models.resnet18(num_classes=4))
    with pytest.raises(RunError, match="does not fit torchvision/resnet18 with 3 classes"):
        backbones.load("torchvision/resnet18", path, 3)
    with pytest.raises(RunError, match=r"missing\.safetensors does not exist"):
        backbones.load("torchvision/resnet18", tmp_path / "missing.safetensors", 3)
    with pytest.raises(UsageError, match="give it as torchvision/NAME or timm/NAME"):
        backbones.load("resnet18", path, 4)
    with pytest.raises(UsageError, match="torchvision has no such classifier"):
        backbones.load("torchvision/resnet19", path, 4)
    with pytest.raises(UsageError, match="no average pool"):
        backbones.load("torchvision/densenet121", path, 4)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match=r"needs timm: pip install '.*\[timm\]'"):
        backbones.load("timm/resnet18", path, 4)
