"""What the tests of odd sizes share: networks that are not symmetric, and their gradients."""

import torch
from torch import Tensor, nn

from distill.networks import Output, ResNet, build


def network(name: str, dtype: torch.dtype = torch.float64) -> ResNet:
    """A network whose norms have weights and biases unlike each other."""
    made = build(name, 3, seed=1).to(dtype)
    made_from = torch.Generator().manual_seed(2)
    for norm in (m for m in made.modules() if isinstance(m, nn.GroupNorm)):
        norm.weight.data += 0.3 * torch.randn(norm.weight.shape, generator=made_from).to(dtype)
        norm.bias.data += 0.3 * torch.randn(norm.bias.shape, generator=made_from).to(dtype)
    return made


def image(height: int, width: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """(1, 3, height, width), not centred on zero."""
    made_from = torch.Generator().manual_seed(seed)
    return (torch.randn(1, 3, height, width, generator=made_from) + 0.5).to(dtype)


def loss(output: Output, label: int) -> Tensor:
    """Something that depends on the logits and on every feature, each another way."""
    features = output.features
    cells = torch.arange(features.numel(), dtype=features.dtype, device=features.device)
    hint = (features * torch.sin(cells).view_as(features)).mean()
    wanted = torch.tensor([label], device=features.device)
    return nn.functional.cross_entropy(output.logits, wanted) + hint


def tolerance(dtype: torch.dtype, device: torch.device) -> float:
    """What rounding may change, of the largest value.

    On CUDA twenty times what it may on the CPU: cuDNN has ways to convolve (Winograd's) that
    multiply less often and round more. TF32 would be a thousand times off.
    """
    return {torch.float64: 1e-12, torch.float32: 1e-5}[dtype] * (20 if device.type == "cuda" else 1)


def gradients(made: ResNet) -> list[Tensor]:
    """Take the gradients of every parameter away."""
    found = [p.grad for p in made.parameters() if p.grad is not None]
    assert len(found) == len(list(made.parameters()))
    made.zero_grad(set_to_none=True)
    return found


def assert_same(ours: list[Tensor], wanted: list[Tensor], tolerance: float) -> None:
    """Each tensor's largest difference is at most `tolerance` of its largest value."""
    for one, other in zip(ours, wanted, strict=True):
        assert one.shape == other.shape
        difference = (one.detach() - other.detach()).abs().max()
        assert float(difference) <= tolerance * max(1.0, float(other.detach().abs().max()))
