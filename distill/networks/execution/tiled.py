"""A part of a network on a map of any size, strip by strip, in the memory of a few rows.

Values and gradients are those of the whole map. With x the input of a group norm, μ its mean and
r = 1/√(σ² + ε) over the n numbers of a group, the norm is a function of x, μ and r, and

    ∂μ/∂xᵢ = 1/n        ∂r/∂xᵢ = -r³ (xᵢ - μ)/n

Given μ and r of every norm, a strip of the part's result depends on a strip of its input and on
nothing else. So

- forward: one pass over the strips for each norm that lies behind another, to gather its moments
  (merged by Chan's formula), and one more for the result. A stem takes two passes, a basic block
  three. Nothing but the result and the μ and r stay.
- backward: as many passes, the other way round. Each recomputes the strips. The first gathers the
  gradients of the last norm's μ and r; the next adds what they give to that norm's input by the
  derivatives above, and gathers those of the norm before; the last has the gradients of the
  parameters and of the input.

Inside a strip, torch's own autograd differentiates.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from distill.networks.execution.strips import (
    Moments,
    ReceptiveField,
    ReceptiveFieldOperations,
    Statistics,
    Strip,
    StripOperations,
)
from distill.networks.resnet import Part

STRIP = 1 << 22
"""Numbers in the largest map of a strip, about: 16 MiB, which malloc reuses without new pages."""

Gradients = dict[nn.GroupNorm, tuple[Tensor, Tensor]]


class Source(Protocol):
    """An image that gives some of its rows at a time."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(1, 3, height, width)."""
        ...

    def rows(self, top: int, bottom: int) -> Tensor:
        """Return (1, 3, bottom - top, width) float, standardised."""
        ...


class Whole:
    """A tensor (B, C, H, W) as a source."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The tensor's."""
        b, c, h, w = self.values.shape
        return b, c, h, w

    def rows(self, top: int, bottom: int) -> Tensor:
        """Return a view."""
        return self.values[:, :, top:bottom]


def run(part: Part, x: Tensor | Source, strip: int = STRIP) -> Tensor:
    """Return `part(x)`, computed strip by strip, and so differentiated.

    Args:
        part: a stem or a block.
        x: (B, C, H, W) float, or a source of one, through which no gradient goes.
        strip: numbers in the largest map of a strip, about.

    Returns:
        (B, C', ⌈H/stride⌉, ⌈W/stride⌉), with the gradient of `x` and the part's parameters.

    Raises:
        ValueError: if a group of a norm has one number.
    """
    parameters = [p for p in part.parameters() if p.requires_grad]
    tensor = x if isinstance(x, Tensor) else None
    source = Whole(x) if isinstance(x, Tensor) else x
    result: Tensor = _Tiled.apply(part, source, strip, tensor, *parameters)
    return result


class _Work:
    """A part, its input, and the strips it is cut into."""

    def __init__(self, part: Part, source: Source, strip: int) -> None:
        self.part, self.source = part, source
        self.reach = part.run(ReceptiveField(), ReceptiveFieldOperations())
        self.height = source.shape[2]
        self.rows = -(-self.height // self.reach.stride)
        convs = [c for c in part.modules() if isinstance(c, nn.Conv2d)]
        widest = max(max(c.in_channels * c.stride[0], c.out_channels) for c in convs)
        self.step = max(1, strip // (widest * source.shape[3] * source.shape[0]))
        self.norms = [n for n in part.modules() if isinstance(n, nn.GroupNorm)]
        self.statistics: dict[nn.GroupNorm, Statistics] = {}
        self.passes: list[list[nn.GroupNorm]] = []

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the rows of the result that each strip makes: the first, and the one after."""
        for first in range(0, self.rows, self.step):
            yield first, min(first + self.step, self.rows)

    def strip(self, first: int, last: int) -> Strip:
        """Return the rows of the input that the result's rows from `first` to `last` depend on."""
        stride, margin, height = self.reach.stride, self.reach.margin, self.height
        own = (first * stride, min(last * stride, height))
        top, bottom = max(own[0] - margin, 0), min(own[1] + margin, height)
        return Strip(self.source.rows(top, bottom), top, height, own)

    def measure(self) -> None:
        """Pass over the strips until the statistics of every norm are known."""
        while len(self.statistics) < len(self.norms):
            total: dict[nn.GroupNorm, Moments] = {}
            for span in self.spans():
                ops = StripOperations(self.statistics)
                self.part.run(self.strip(*span), ops)
                for norm, found in ops.gathered.items():
                    total[norm] = total[norm].merged(found) if norm in total else found
            self.passes.append(list(total))
            self.statistics |= {norm: _statistics(norm, m) for norm, m in total.items()}

    def result(self) -> Tensor:
        """Pass once more, for the result."""
        whole: Tensor | None = None
        for first, last in self.spans():
            made = self.part.run(self.strip(first, last), StripOperations(self.statistics))
            assert made is not None
            values = made.cut(first, last).values
            if whole is None:
                whole = values.new_empty((*values.shape[:2], self.rows, values.shape[3]))
            whole[:, :, first:last] = values
        assert whole is not None
        return whole

    def behind(self, norms: list[nn.GroupNorm], known: Gradients, gradient: Tensor) -> Gradients:
        """Return the gradients of the statistics of `norms`, given those of all norms behind."""
        leaves = {
            n: (s.mean.clone().requires_grad_(), s.rstd.clone().requires_grad_())
            for n, s in self.statistics.items()
            if n in norms
        }
        inputs = [leaf for pair in leaves.values() for leaf in pair]
        total = [torch.zeros_like(leaf, dtype=torch.float64) for leaf in inputs]
        statistics = self.statistics | {
            n: Statistics(self.statistics[n].count, *pair) for n, pair in leaves.items()
        }
        for span in self.spans():
            found = self._pull(span, self.strip(*span), statistics, known, gradient, inputs)
            for whole, value in zip(total, found, strict=True):
                whole += value
        return {n: (total[2 * i], total[2 * i + 1]) for i, n in enumerate(leaves)}

    def last(
        self, known: Gradients, gradient: Tensor, parameters: list[Tensor], x: Tensor | None
    ) -> tuple[Tensor | None, list[Tensor]]:
        """Return the gradients of the input, where it is a tensor, and of the parameters."""
        whole = None if x is None else torch.zeros_like(x)
        total = [torch.zeros_like(p, dtype=torch.float64) for p in parameters]
        for span in self.spans():
            strip = self.strip(*span)
            inputs = list(parameters)
            if whole is not None:
                strip = replace(strip, values=strip.values.detach().requires_grad_())
                inputs.append(strip.values)
            found = self._pull(span, strip, self.statistics, known, gradient, inputs)
            if whole is not None:
                whole[:, :, strip.top : strip.top + strip.values.shape[2]] += found.pop()
            for sum_, value in zip(total, found, strict=True):
                sum_ += value
        return whole, [s.to(p.dtype) for s, p in zip(total, parameters, strict=True)]

    def _pull(
        self,
        span: tuple[int, int],
        strip: Strip,
        statistics: dict[nn.GroupNorm, Statistics],
        known: Gradients,
        gradient: Tensor,
        inputs: list[Tensor],
    ) -> list[Tensor]:
        """Return the gradients of `inputs` through one strip."""
        ops = StripOperations(statistics)
        with torch.enable_grad():
            made = self.part.run(strip, ops)
            assert made is not None
            ends = [made.cut(*span).values]
        starts = [gradient[:, :, span[0] : span[1]].to(ends[0].dtype)]
        for norm, (mean, rstd) in known.items():
            entered = ops.entered[norm]
            if entered.requires_grad:  # else nothing that is asked for lies before this norm
                ends.append(entered)
                starts.append(_through(self.statistics[norm], entered.detach(), mean, rstd))
        return list(torch.autograd.grad(ends, inputs, starts))


def _statistics(norm: nn.GroupNorm, moments: Moments) -> Statistics:
    if moments.count == 1:
        raise ValueError("Expected more than 1 value per channel when training, got one")
    rstd = torch.rsqrt(moments.squares / moments.count + norm.eps)
    dtype = norm.weight.dtype
    return Statistics(moments.count, moments.mean.to(dtype), rstd.to(dtype))


def _through(known: Statistics, x: Tensor, mean: Tensor, rstd: Tensor) -> Tensor:
    """Return the gradient that a norm's input gets by way of its mean and rstd.

    g_μ/n - g_r r³ (x - μ)/n, as one product and one sum: a x + b. Shapes: x (B, C, h, W), the
    gradients (B, G), the result as x.
    """
    slope = -rstd * known.rstd.double() ** 3 / known.count
    offset = mean / known.count - slope * known.mean.double()
    each = x.shape[1] // slope.shape[1]
    slope, offset = (
        value.to(x.dtype).repeat_interleave(each, 1)[:, :, None, None] for value in (slope, offset)
    )
    return torch.addcmul(offset, x, slope)


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, part: Part, source: Source, strip: int, x: Tensor | None, *parameters: Tensor
    ) -> Tensor:
        ctx.work = _Work(part, source, strip)
        ctx.save_for_backward(x, *parameters)
        kind = next(part.parameters()).device.type
        ctx.autocast = (kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind))
        ctx.work.measure()
        result: Tensor = ctx.work.result()
        if x is not None:  # autograd frees what it was given to save; this it could not
            ctx.work.source = None
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors  # raises where one was changed since
        work: _Work = copy.copy(ctx.work)
        if x is not None:
            work.source = Whole(x)
        known: Gradients = {}
        kind, dtype, enabled = ctx.autocast
        with torch.autocast(kind, dtype, enabled):
            for norms in reversed(work.passes):
                known |= work.behind(norms, known, gradient)
            whole, found = work.last(
                known, gradient, parameters, x if ctx.needs_input_grad[3] else None
            )
        return (None, None, None, whole, *found)
