"""Small fully connected networks, trained one after another by compiled code: forward, backward and Adam
without a framework.

A network that predicts an architecture's error has some thousands of weights and a hundred examples, so a
framework spends its time on everything but arithmetic. Here a step is a handful of calls of one
register-blocked matrix product (`_tile`), on rows of samples and columns of units.

Notation: n examples of F features; L hidden layers of `width` units, U = `width` padded to a multiple of
COLUMNS with units whose weights are zero and stay zero; B examples per batch, B' of B and `width` the larger,
padded to a multiple of ROWS. A network is one vector float32[P], layer after layer: W (inputs x U, row by
row), b (U); at the end the output weights (U), the output bias, and zeros up to a multiple of 8.

Rounding. `_forward`, `_backward` and `_adam` let the compiler reorder sums, so how they round depends on how
the compiler arranged them. They must therefore be arranged in one way only. `forceinline` sees to it: without
it every kernel that calls them carries a copy of its own, arranged for that caller, all copies have one name,
and the copy that a process loads first serves them all. Which one that is depends on whether numba's cache
was empty. A kernel that may reorder sums and is called by another kernel has to be inlined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from optimizers.parts.sparse import Sparse

LANES = 8  # floats in a vector register
VECTORS = 3  # vectors in a tile's row
COLUMNS = LANES * VECTORS
ROWS = 4  # rows of a tile: 4 x 3 accumulators keep both multiply-add units busy and fit the registers
LOSSES = ("mae", "mse")


class Shape(NamedTuple):
    """What a network looks like."""

    features: int  # F
    width: int
    layers: int  # L


class Training(NamedTuple):
    """How a network is trained."""

    epochs: int
    batch: int  # B
    max_steps: int  # 0: no limit
    squared: bool  # mean squared error if true, else mean absolute error
    rate: float  # Adam's step size
    beta1: float
    beta2: float
    epsilon: float


class Scratch(NamedTuple):
    """Work space of one network's training."""

    hidden: np.ndarray  # float32[L, B' U], the units' outputs
    work: np.ndarray  # float32[3, B' U]: delta, the delta of the layer before, a transposed W
    out: np.ndarray  # float32[B], predictions
    slope: np.ndarray  # float32[B], d loss / d out
    grads: np.ndarray  # float32[P]
    one: np.ndarray  # float32[1], a one


class Matrix(NamedTuple):
    """Element (i, j) is data[start + i * row + j * column]; a row of 0 repeats one row."""

    data: np.ndarray  # float32, flat
    start: int
    row: int
    column: int


def padded(width: int) -> int:
    """Return U for a width."""
    return -(-width // COLUMNS) * COLUMNS


def num_parameters(shape: Shape) -> int:
    """Return P."""
    units = padded(shape.width)
    return (shape.features + 1) * units + (shape.layers - 1) * (shape.width + 1) * units + units + LANES


@intrinsic
def _tile(
    typingctx: Any, init: Any, left: Any, right: Any, out: Any, inner: Any
) -> tuple[Any, Callable[..., Any]]:
    """out[r, c] = init[r, c] + sum over i < inner of left[r, i] right[i, c], for r < ROWS and c < COLUMNS.

    All four are of type `Matrix`; in all but `left` neighbouring columns must be neighbours in memory.
    """
    signature = types.void(init, left, right, out, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def unpacked(k: int) -> tuple[Any, ...]:
            kinds = signature.args[k].types
            data, *numbers = cgutils.unpack_tuple(builder, args[k])  # type: ignore[no-untyped-call]
            numbers = [context.cast(builder, x, kind, types.intp) for x, kind in zip(numbers, kinds[1:])]
            return (context.make_array(kinds[0])(context, builder, data).data, *numbers)

        (init, init0, init_row, _), (left, left0, left_row, left_inner) = unpacked(0), unpacked(1)
        (right, right0, right_inner, _), (out, out0, out_row, _) = unpacked(2), unpacked(3)
        inner = args[4]
        vector = ir.VectorType(ir.FloatType(), LANES)
        lane0 = ir.Constant(ir.IntType(32), 0)
        undefined = ir.Constant(vector, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)

        def number(k: int) -> Any:
            return ir.Constant(inner.type, k)

        def address(base: Any, start: Any, row: int, row_stride: Any, column: int) -> Any:
            offset = builder.add(start, builder.add(builder.mul(number(row), row_stride), number(column)))
            return builder.bitcast(builder.gep(base, [offset]), vector.as_pointer())

        places = [
            (r, v, cgutils.alloca_once(builder, vector))  # type: ignore[no-untyped-call]
            for r in range(ROWS)
            for v in range(VECTORS)
        ]
        for r, v, place in places:
            builder.store(builder.load(address(init, init0, r, init_row, v * LANES), align=4), place)
        with cgutils.for_range(builder, inner) as loop:
            start = builder.add(right0, builder.mul(loop.index, right_inner))
            weights = [
                builder.load(address(right, start, 0, right_inner, v * LANES), align=4)
                for v in range(VECTORS)
            ]
            column = builder.add(left0, builder.mul(loop.index, left_inner))
            factors = []
            for r in range(ROWS):
                scalar = builder.load(
                    builder.gep(left, [builder.add(column, builder.mul(number(r), left_row))])
                )
                factors.append(
                    builder.shuffle_vector(
                        builder.insert_element(undefined, scalar, lane0), undefined, everywhere
                    )
                )
            for r, v, place in places:
                product = builder.fmul(factors[r], weights[v], flags=("fast",))
                builder.store(builder.fadd(builder.load(place), product, flags=("fast",)), place)
        for r, v, place in places:
            builder.store(builder.load(place), address(out, out0, r, out_row, v * LANES), align=4)
        return context.get_dummy_value()

    return signature, generate


@njit(inline="always")
def _product(
    init: Matrix, left: Matrix, right: Matrix, out: Matrix, rows: int, units: int, inner: int
) -> None:
    """out (rows x units) = init + left @ right, in tiles; writes up to the next multiple of ROWS rows."""
    for row in range(0, rows, ROWS):
        for column in range(0, units, COLUMNS):
            _tile(  # type: ignore[call-arg]  # numba gives the typing context
                Matrix(init.data, init.start + row * init.row + column, init.row, 1),
                Matrix(left.data, left.start + row * left.row, left.row, left.column),
                Matrix(right.data, right.start + column, right.row, 1),
                Matrix(out.data, out.start + row * out.row + column, out.row, 1),
                inner,
            )


@njit(inline="always")
def _add(out: np.ndarray, out0: int, factor: float, row: np.ndarray, row0: int, units: int) -> None:
    """out[j] += factor row[j] for j < units. The inner loop's length is a constant, so that it becomes vector
    code without a remainder."""
    for column in range(0, units, COLUMNS):
        for j in range(COLUMNS):
            out[out0 + column + j] += factor * row[row0 + column + j]


@njit(inline="always")
def _copy(out: np.ndarray, out0: int, row: np.ndarray, row0: int, units: int) -> None:
    """out[j] = row[j] for j < units."""
    for column in range(0, units, COLUMNS):
        for j in range(COLUMNS):
            out[out0 + column + j] = row[row0 + column + j]


@njit(inline="always")
def _dot(left: np.ndarray, left0: int, right: np.ndarray, right0: int, units: int) -> np.floating[Any]:
    """Sum over j < units of left[j] right[j]."""
    total = np.float32(0)
    for column in range(0, units, COLUMNS):
        for j in range(COLUMNS):
            total += left[left0 + column + j] * right[right0 + column + j]
    return total


@njit(inline="always")
def _bias_gradient(scratch: Scratch, bias: int, rows: int, units: int) -> None:
    """grads[bias + j] = sum over r < rows of delta[r, j], as a product with ones that stays in registers
    (ROWS equal rows, one of which is kept)."""
    delta, before = scratch.work[0], scratch.work[1]
    _product(
        Matrix(scratch.grads, 0, 0, 1),  # a row of zeros: see `_backward`
        Matrix(scratch.one, 0, 0, 0),
        Matrix(delta, 0, units, 1),
        Matrix(before, 0, units, 1),
        1,
        units,
        rows,
    )
    _copy(scratch.grads, bias, before, 0, units)


@njit(cache=True, fastmath=True, error_model="numpy", forceinline=True)
def _forward(
    examples: Sparse, rows: np.ndarray, params: np.ndarray, shape: Shape, hidden: np.ndarray, out: np.ndarray
) -> None:
    """hidden[l, r * units + j] and out[r] of the examples whose numbers are `rows`."""
    width, batch = shape.width, len(rows)
    units = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    bias = shape.features * units
    first = hidden[0]
    for r in range(batch):
        s = rows[r]
        _copy(first, r * units, params, bias, units)
        for k in range(examples.entries[s]):
            _add(first, r * units, examples.value[s, k], params, examples.feature[s, k] * units, units)
    for j in range(batch * units):
        first[j] = max(first[j], np.float32(0))
    at = bias + units
    for l in range(1, shape.layers):  # noqa: E741
        bias = at + width * units
        current = hidden[l]
        _product(
            Matrix(params, bias, 0, 1),
            Matrix(hidden[l - 1], 0, units, 1),
            Matrix(params, at, units, 1),
            Matrix(current, 0, units, 1),
            batch,
            units,
            width,
        )
        for j in range(batch * units):
            current[j] = max(current[j], np.float32(0))
        at = bias + units
    last = hidden[shape.layers - 1]
    for r in range(batch):
        out[r] = params[at + units] + _dot(last, r * units, params, at, units)


@njit(cache=True, fastmath=True, error_model="numpy", forceinline=True)
def _backward(examples: Sparse, rows: np.ndarray, params: np.ndarray, shape: Shape, scratch: Scratch) -> None:
    """Fill scratch.grads with the gradient of the batch's loss, given scratch.slope and what `_forward` left
    in scratch.hidden."""
    features, width, layers, batch = shape.features, shape.width, shape.layers, len(rows)
    units = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    hidden, slope, grads = scratch.hidden, scratch.slope, scratch.grads
    # The first layer's gradient is written last, so until then its place is a row of zeros.
    grads[:] = 0
    delta, before, transposed = scratch.work[0], scratch.work[1], scratch.work[2]
    zeros = Matrix(grads, 0, 0, 1)
    at = len(grads) - LANES - units
    last = hidden[layers - 1]
    for r in range(batch):
        grads[at + units] += slope[r]
        _add(grads, at, slope[r], last, r * units, units)
        for column in range(0, units, COLUMNS):
            for j in range(COLUMNS):
                place = column + j
                delta[r * units + place] = (
                    slope[r] * params[at + place] if last[r * units + place] > 0 else np.float32(0)
                )
    for l in range(layers - 1, 0, -1):  # noqa: E741
        bias = at - units
        at = bias - width * units
        _bias_gradient(scratch, bias, batch, units)
        inputs = hidden[l - 1]
        # Rows of W's gradient are inputs; tiles may overhang the last by ROWS - 1 rows, onto what the next
        # lines restore.
        full = width - width % ROWS
        _product(
            zeros,
            Matrix(inputs, 0, 1, units),
            Matrix(delta, 0, units, 1),
            Matrix(grads, at, units, 1),
            full,
            units,
            batch,
        )
        for i in range(full, width):
            for r in range(batch):
                _add(grads, at + i * units, inputs[r * units + i], delta, r * units, units)
        for i in range(width):
            for j in range(width):
                transposed[j * units + i] = params[at + i * units + j]
        _product(
            zeros,
            Matrix(delta, 0, units, 1),
            Matrix(transposed, 0, units, 1),
            Matrix(before, 0, units, 1),
            batch,
            units,
            width,
        )
        for j in range(batch * units):
            delta[j] = before[j] if inputs[j] > 0 else np.float32(0)
    _bias_gradient(scratch, features * units, batch, units)
    for r in range(batch):
        s = rows[r]
        for k in range(examples.entries[s]):
            _add(grads, examples.feature[s, k] * units, examples.value[s, k], delta, r * units, units)


@njit(cache=True, fastmath=True, error_model="numpy", forceinline=True)
def _adam(
    params: np.ndarray, moments: np.ndarray, grads: np.ndarray, rate: np.floating[Any], training: Training
) -> None:
    """One step of Adam; `rate` already holds the bias corrections, as in Kingma & Ba (2015), end of section
    2."""
    first, second = moments[0], moments[1]
    beta1, beta2 = np.float32(training.beta1), np.float32(training.beta2)
    epsilon = np.float32(training.epsilon)
    for p in range(len(params)):
        first[p] = beta1 * first[p] + (np.float32(1) - beta1) * grads[p]
        second[p] = beta2 * second[p] + (np.float32(1) - beta2) * grads[p] * grads[p]
        params[p] -= rate * first[p] / (np.sqrt(second[p]) + epsilon)


@njit(cache=True, error_model="numpy", forceinline=True)
def train(
    examples: Sparse,
    targets: np.ndarray,
    orders: np.ndarray,
    params: np.ndarray,
    shape: Shape,
    training: Training,
) -> int:
    """Train one network in place and return the number of steps taken.

    Args:
        examples: the features, [n].
        targets: float32[n].
        orders: int32[epochs, n], the order in which each epoch visits the examples.
        params: float32[P].
    """
    width, batch = shape.width, training.batch
    units = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    room = (max(batch, width) + ROWS - 1) // ROWS * ROWS
    scratch = Scratch(
        np.zeros((shape.layers, room * units), np.float32),
        np.zeros((3, room * units), np.float32),
        np.empty(batch, np.float32),
        np.empty(batch, np.float32),
        np.empty(len(params), np.float32),
        np.ones(1, np.float32),
    )
    moments = np.zeros((2, len(params)), np.float32)
    out, slope = scratch.out, scratch.slope
    beta1, beta2 = np.float64(np.float32(training.beta1)), np.float64(np.float32(training.beta2))
    steps = 0
    for epoch in range(len(orders)):
        for begin in range(0, len(targets), batch):
            rows = orders[epoch, begin : begin + batch]
            _forward(examples, rows, params, shape, scratch.hidden, out)
            for r in range(len(rows)):
                error = out[r] - targets[rows[r]]
                slope[r] = (np.float32(2) * error if training.squared else np.sign(error)) / np.float32(
                    len(rows)
                )
            _backward(examples, rows, params, shape, scratch)
            steps += 1
            corrected = np.float32(training.rate * np.sqrt(1 - beta2**steps) / (1 - beta1**steps))
            _adam(params, moments, scratch.grads, corrected, training)
    return steps


@njit(cache=True, error_model="numpy", forceinline=True)
def predict(examples: Sparse, params: np.ndarray, shape: Shape, out: np.ndarray) -> None:
    """out[s] = the network's prediction for example s of n."""
    units = (shape.width + COLUMNS - 1) // COLUMNS * COLUMNS
    hidden = np.zeros((shape.layers, 32 * units), np.float32)
    rows = np.arange(len(out)).astype(np.int32)
    for begin in range(0, len(out), 32):
        _forward(examples, rows[begin : begin + 32], params, shape, hidden, out[begin : begin + 32])


@njit(cache=True, error_model="numpy", forceinline=True)
def initialise(generator: np.random.Generator, params: np.ndarray, shape: Shape) -> None:
    """Draw Glorot-uniform weights, U(-a, a) with a = sqrt(6 / (inputs + outputs)), and zero biases (Keras's
    default)."""
    width, layers = shape.width, shape.layers
    units = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    params[:] = 0
    at = 0
    for l in range(layers + 1):  # noqa: E741
        inputs = shape.features if l == 0 else width
        outputs = width if l < layers else 1
        limit = np.sqrt(6.0 / (inputs + outputs))
        for i in range(inputs):
            for j in range(outputs):
                place = at + i * units + j if l < layers else at + i
                params[place] = np.float32((2.0 * generator.random() - 1.0) * limit)
        at += (inputs + 1) * units
