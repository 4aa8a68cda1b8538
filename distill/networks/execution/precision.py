"""The precision that networks learn in: float32, or bfloat16 by torch's autocast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class _NarrowInFloat32(TorchFunctionMode):
    """Convolves maps of one row or one column in float32, where bfloat16 is asked for on the CPU.

    torch 2.14's oneDNN reads memory that nobody has written to when it makes the gradient of the
    weights of such a convolution in bfloat16, if its kernel is wider than the map: the gradient is
    off by any amount, or not finite, and another each time. The result is rounded to bfloat16, as
    that of any other convolution.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        narrow = func is torch.conv2d and _narrow(*args[:2])
        if not narrow:
            return func(*args, **kwargs)
        with torch.autocast("cpu", enabled=False):
            given = [one.float() if isinstance(one, Tensor) else one for one in args]
            return func(*given, **kwargs).to(torch.bfloat16)


def _narrow(x: Tensor, weight: Tensor) -> bool:
    """Say whether a map (B, C, H, W) has one row or column, and the kernel more."""
    return x.device.type == "cpu" and min(x.shape[-2:]) == 1 and max(weight.shape[-2:]) > 1


@contextmanager
def precision_of(device: str, precision: str) -> Iterator[None]:
    """Compute in "fp32" or "bf16" on a type of device for as long as the context lasts."""
    if precision == "fp32":
        with torch.autocast(device, enabled=False):
            yield
        return
    with torch.autocast(device, torch.bfloat16), _exact_on(device):
        yield


def recomputed() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Return the contexts of a checkpointed part: of its pass, and of that in the backward pass.

    torch knows the autocast of the first when it makes the second, and nothing else of its context.
    """
    device = "cpu" if torch.is_autocast_enabled("cpu") else ""
    return nullcontext(), _exact_on(device)


def _exact_on(device: str) -> AbstractContextManager[Any]:
    return _NarrowInFloat32() if device == "cpu" else nullcontext()
