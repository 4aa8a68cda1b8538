"""What a forward pass costs: multiply-adds (MAC), floating-point operations (FLOP), parameters.

One MAC is one multiply-add. `Cost.mac` follows fvcore's `FlopCountAnalysis`, whose "flop" is a MAC:

    convolution, linear, matrix product   one per multiply-add
    group norm, layer norm                5 per element with an affine transform, 4 without
    batch norm, as in evaluation          2 per element with an affine transform, 1 without
    bilinear enlarging                    4 per element of the result
    average pool to a given size          1 per element

Element-wise sums, activations, other pooling, means and attention's softmax are not counted.
`Cost.flop` follows
`torch.utils.flop_counter.FlopCounterMode`: convolutions and matrix products alone, two per
multiply-add. So `flop` is exactly twice the first line above.

`cost` runs on torch's meta device, where no pixel is computed and no activation stored: counting a
crop of 325 megapixels takes as long as counting a thumbnail. `fvcore_mac` asks fvcore itself, which
runs the network on real zeros; `agree` holds the two together.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from distill.types import Floats

COUNTERS = {
    "gmac": "fvcore FlopCountAnalysis convention: 1 per multiply-add of convolution and linear, "
    "5 per element of an affine group norm, 1e9 of them",
    "gflop": "torch.utils.flop_counter.FlopCounterMode on the meta device: 2 per multiply-add of "
    "convolution and linear, nothing else, 1e9 of them",
}

FVCORE_PIXELS = 4_000_000
"""Most pixels that `agree` has fvcore run the network on: a second and half a GiB or so."""

Watch = Callable[[Iterable[tuple[int, int]]], Iterable[tuple[int, int]]]


class Cost(NamedTuple):
    """One forward pass: MAC as fvcore counts them, FLOP as torch counts them."""

    mac: int
    flop: int


def parameters(network: nn.Module) -> int:
    """Count the numbers that the network learns, frozen ones included."""
    return sum(p.numel() for p in network.parameters())


def cost(network: nn.Module, height: int, width: int) -> Cost:
    """Count one forward pass in evaluation mode over a (1, 3, height, width) input of any size."""
    shapes = {name: p.to("meta") for name, p in network.named_parameters()}
    shapes |= {name: b.to("meta") for name, b in network.named_buffers()}
    image = torch.empty(1, 3, height, width, device="meta")
    counter = FlopCounterMode(display=False, custom_mapping=_COUNTED)
    with _evaluating(network), torch.no_grad(), counter:
        torch.func.functional_call(network, shapes, (image,))
    counts: dict[Any, int] = dict(counter.get_flop_counts()["Global"])
    beside = sum(counts.pop(kind, 0) for kind in _COUNTED)
    flop = sum(counts.values())
    return Cost(mac=flop // 2 + beside, flop=flop)


def gmac(network: nn.Module, height: int, width: int) -> float:
    """10⁹ MAC of one (1, 3, height, width) input, in fvcore's convention, at any size."""
    return cost(network, height, width).mac / 1e9


def fvcore_mac(network: nn.Module, height: int, width: int) -> Counter[str]:
    """MAC by kind of operation, counted by fvcore: "conv", "linear", "group_norm", …

    Runs the network once in evaluation mode on zeros (1, 3, height, width) on its own device.
    """
    with warnings.catch_warnings():
        # `import fvcore.nn` scripts a loss of its own, which torch ≥ 2.10 deprecates.
        warnings.filterwarnings(
            "ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning
        )
        from fvcore.nn import FlopCountAnalysis
    image = torch.zeros(1, 3, height, width, device=next(network.parameters()).device)
    analysis = (
        FlopCountAnalysis(network, (image,))
        .unsupported_ops_warnings(False)
        .uncalled_modules_warnings(False)
        .tracer_warnings("none")
    )
    with _evaluating(network), torch.no_grad():
        return Counter({kind: int(count) for kind, count in analysis.by_operator().items()})


class Agreement(NamedTuple):
    """What both counters say of one (1, 3, height, width) input."""

    height: int
    width: int
    fvcore_mac: int
    mac: int

    @property
    def difference(self) -> float:
        """Of our MAC from fvcore's, as a fraction of fvcore's."""
        return self.mac / self.fvcore_mac - 1


def agree(network: nn.Module, height: int, width: int) -> Agreement:
    """Count with fvcore and on the meta device, at one size that both can do.

    fvcore runs the network, so of a size of more than `FVCORE_PIXELS` the longer side is halved
    until it fits.
    """
    while height * width > FVCORE_PIXELS:
        longer, shorter = max(height, width), min(height, width)
        halved = -(-longer // 2)
        height, width = (halved, shorter) if height == longer else (shorter, halved)
    theirs = sum(fvcore_mac(network, height, width).values())
    return Agreement(height, width, theirs, cost(network, height, width).mac)


def each(network: nn.Module, sizes: Sequence[tuple[int, int]], watch: Watch = iter) -> Floats:
    """GMAC and GFLOP of crops of the given (height, width): (N, 2) float64, in their order.

    Each distinct size is counted once; `watch` passes the distinct sizes on, to show progress.
    """
    counted = {size: cost(network, *size) for size in watch(dict.fromkeys(sizes))}
    return np.array([counted[size] for size in sizes], dtype=np.float64).reshape(-1, 2) / 1e9


def over_sizes(network: nn.Module, sizes: Iterable[tuple[int, int]]) -> dict[str, dict[str, float]]:
    """Mean, median and largest cost over crops of the given (height, width), one entry a crop.

    Each distinct size is counted once. Returns {"gmac_per_crop": {"mean", "median", "max"},
    "gflop_per_crop": the same}. ValueError: there is no crop.
    """
    return over_passes([(network, list(sizes), 1)])


def over_passes(
    passes: Iterable[tuple[nn.Module, Sequence[tuple[int, int]], int]],
) -> dict[str, dict[str, float]]:
    """Return what `over_sizes` does of crops that pass more than once.

    Args:
        passes: at least one: a network, the (height, width) of every crop before it, in one order
            of crops, and how many times they pass.
    """
    every = np.sum([times * each(network, sizes) for network, sizes, times in passes], axis=0)
    if not len(every):
        raise ValueError("the cost of no crops has no mean")
    return {"gmac_per_crop": summary(every[:, 0]), "gflop_per_crop": summary(every[:, 1])}


def summary(values: Floats) -> dict[str, float]:
    """Mean, median and largest of some numbers, at least one."""
    return {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, the former mode of every module afterwards."""
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _norm(with_affine: int, without: int, place: int) -> Callable[..., int]:
    """Return what counts a norm whose scale, or None, is the argument at a place, by its input."""

    def count(*shapes: Any, **_: Any) -> int:
        return int(shapes[0].numel() * (without if shapes[place] is None else with_affine))

    return count


def _enlarging(*_: Any, out_shape: Any = None, **__: Any) -> int:
    """MAC of a bilinear interpolation, by its result."""
    return 4 * int(torch.Size(out_shape).numel())


def _pooling(shape: torch.Size, *_: Any, **__: Any) -> int:
    """MAC of an average over cells of a given number, by its input."""
    return shape.numel()


_COUNTED = {
    torch.ops.aten.native_group_norm: _norm(5, 4, 1),
    torch.ops.aten.native_layer_norm: _norm(5, 4, 2),
    torch.ops.aten.native_batch_norm: _norm(2, 1, 1),
    torch.ops.aten._native_batch_norm_legit_no_training: _norm(2, 1, 1),
    torch.ops.aten.upsample_bilinear2d: _enlarging,
    torch.ops.aten._adaptive_avg_pool2d: _pooling,
}
"""What fvcore counts beside products, as operators of the meta device."""
