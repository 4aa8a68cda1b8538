"""Vectors of sixteen floats in compiled code: what a processor loads, adds and multiplies at once.

numba compiles loops and leaves it to LLVM to find vectors in them. It finds none in sums that must
be added in order, nor in rows that become columns. These functions, for code that numba compiles,
say what is meant; LLVM makes of it what the processor has, be that one vector or four.

A product and a sum are rounded apart, never fused, so that bits are the same on every machine.
Positions are not checked: those of a wrong one are somebody else's memory.

numba caches what it compiled by the file it stands in, not by this one: whoever changes something
here must touch `wsistore.levels.convolution` as well.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model

LANES = 16
"""Floats in a vector."""

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES)
_WORDS = ir.VectorType(ir.IntType(32), LANES)
_INDEX = ir.IntType(64)
Compiled = tuple[Any, Any]
"""A signature, and the function that emits its code."""


class Vector16(types.Type):
    """numba's type of a vector; a variable of compiled code may be one."""

    def __init__(self) -> None:
        super().__init__(name="Vector16")


lanes: Any = Vector16()


@register_model(Vector16)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)  # type: ignore[no-untyped-call]


def _compiled(function: Any) -> Any:
    """Make a function for compiled code of one that returns a signature and emits code."""
    return intrinsic(function)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _all(value: float) -> Any:
    return ir.Constant(_FLOATS, [value] * LANES)


@_compiled
def broadcast(typing: Any, value: Any) -> Compiled:
    """Return a vector whose lanes are all ``value``, float32."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        none = ir.Constant(_FLOATS, ir.Undefined)
        first = builder.insert_element(none, args[0], ir.Constant(_INDEX, 0))
        return builder.shuffle_vector(first, none, ir.Constant(_WORDS, [0] * LANES))

    return lanes(types.float32), emit


@_compiled
def load(typing: Any, array: Any, at: Any) -> Compiled:
    """Return values at … at + 15 of ``array``, (n,) float32, C-contiguous."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, at = args
        source = _pointer(context, builder, signature.args[0], array, at, _FLOATS)
        return builder.load(source, align=4)

    return lanes(array, types.intp), emit


@_compiled
def multiply_add(typing: Any, total: Any, weight: Any, values: Any) -> Compiled:
    """Return total + weight · values, of three vectors; the product is rounded before the sum."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total, weight, values = args
        return builder.fadd(total, builder.fmul(weight, values))

    return lanes(lanes, lanes, lanes), emit


@_compiled
def store(typing: Any, array: Any, at: Any, values: Any) -> Compiled:
    """Write a vector at … at + 15 of ``array``, (n,) float32, C-contiguous."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, at, values = args
        to = _pointer(context, builder, signature.args[0], array, at, _FLOATS)
        builder.store(values, to, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), emit


@_compiled
def store_rounded(typing: Any, array: Any, at: Any, values: Any) -> Compiled:
    """Write a vector as grey levels, rounded half up and clipped: at … at + 15 of (n,) uint8."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, at, values = args
        values = builder.fadd(values, _all(0.5))
        for bound, beyond in ((_all(0.0), "<"), (_all(255.0), ">")):
            values = builder.select(builder.fcmp_ordered(beyond, values, bound), bound, values)
        levels = builder.trunc(builder.fptosi(values, _WORDS), _BYTES)
        to = _pointer(context, builder, signature.args[0], array, at, _BYTES)
        builder.store(levels, to, align=1)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), emit


@_compiled
def turn(typing: Any, array: Any, at: Any, stride: Any, rows: Any, out: Any, to: Any) -> Compiled:
    """Write sixteen values of up to sixteen rows, each value's rows side by side.

    out[to + 16 · value + lane] = array[at + stride · min(lane, rows - 1) + value]; both (n,)
    float32, C-contiguous. Lanes without a row repeat the last one: what is computed of them is
    nobody's, but of ordinary numbers.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, at, stride, rows, out, to = args
        last = builder.sub(rows, ir.Constant(_INDEX, 1))
        vectors = []
        for lane in range(LANES):
            number = ir.Constant(_INDEX, lane)
            row = builder.select(builder.icmp_signed("<", number, last), number, last)
            first = builder.add(at, builder.mul(stride, row))
            source = _pointer(context, builder, signature.args[0], array, first, _FLOATS)
            vectors.append(builder.load(source, align=4))
        for value, vector in enumerate(_transposed(builder, vectors)):
            first = builder.add(to, ir.Constant(_INDEX, LANES * value))
            target = _pointer(context, builder, signature.args[4], out, first, _FLOATS)
            builder.store(vector, target, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, types.intp, out, types.intp), emit


def _transposed(builder: Any, vectors: list[Any]) -> list[Any]:
    """Return the columns of sixteen rows: squares of 2, 4, 8 and 16 lanes swap their corners."""
    step = 1
    while step < LANES:
        # of rows i and i + step: lanes of the first where ``step`` is not in their number …
        upper = [n if not n & step else LANES + n - step for n in range(LANES)]
        # … and of the second where it is
        lower = [LANES + n if n & step else n + step for n in range(LANES)]
        pairs = [(i, i + step) for i in range(LANES) if not i & step]
        for i, j in pairs:
            vectors[i], vectors[j] = (
                builder.shuffle_vector(vectors[i], vectors[j], ir.Constant(_WORDS, mask))
                for mask in (upper, lower)
            )
        step *= 2
    return vectors
