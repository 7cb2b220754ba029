"""Small fully connected networks, trained one after another by compiled code: forward, backward and Adam
without a framework.

A network that predicts an architecture's error has some thousands of weights and a hundred examples, so a
framework spends its time on everything but arithmetic. Here a step is a handful of calls of one
register-blocked matrix product (`_tile`), on rows of samples and columns of units.

Notation: n examples of F features; L hidden layers of `width` units, U = `width` padded to a multiple of
COLUMNS with units whose weights are zero and stay zero; B examples a batch. A network is one vector
float32[P], layer after layer: W (inputs x U, row by row), b (U); at the end the output weights (U), the
output bias, and zeros up to a multiple of 8. Features are sparse (path and one-hot encodings are mostly
zeros): of example s, `index[s, k]` and `value[s, k]` for k < `count[s]`.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8  # floats in a vector register
VECTORS = 3  # vectors in a tile's row
COLUMNS = LANES * VECTORS
ROWS = 4  # rows of a tile: 4 x 3 accumulators keep both multiply-add units busy and fit the registers
LOSSES = ("mae", "mse")


def padded(width: int) -> int:
    """Return U for a width."""
    return -(-width // COLUMNS) * COLUMNS


def num_parameters(features: int, width: int, layers: int) -> int:
    """Return P."""
    units = padded(width)
    return (features + 1) * units + (layers - 1) * (width + 1) * units + units + LANES


@intrinsic
def _tile(
    typingctx,
    init,
    init0,
    init_row,
    left,
    left0,
    left_row,
    left_inner,
    right,
    right0,
    right_inner,
    out,
    out0,
    out_row,
    inner,
):
    """out[r, c] = init[r, c] + sum over i < inner of left[r, i] right[i, c], for r < ROWS and c < COLUMNS.

    Arrays are flat; `x0` is where the tile starts in x, `x_row` and `x_inner` are the strides. A stride of 0
    for `init` repeats a row.
    """
    integer = types.intp
    signature = types.void(
        init,
        integer,
        integer,
        left,
        integer,
        integer,
        integer,
        right,
        integer,
        integer,
        out,
        integer,
        integer,
        integer,
    )

    def generate(context, builder, signature, args):
        data = lambda k: context.make_array(signature.args[k])(context, builder, args[k]).data  # noqa: E731
        init, left, right, out = data(0), data(3), data(7), data(10)
        init0, init_row, left0, left_row, left_inner, right0, right_inner, out0, out_row, inner = (
            args[k] for k in (1, 2, 4, 5, 6, 8, 9, 11, 12, 13)
        )
        vector = ir.VectorType(ir.FloatType(), LANES)
        lane0 = ir.Constant(ir.IntType(32), 0)
        undefined = ir.Constant(vector, ir.Undefined)
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        number = lambda k: ir.Constant(inner.type, k)  # noqa: E731

        def address(base, start, row, row_stride, column):
            offset = builder.add(start, builder.add(builder.mul(number(row), row_stride), number(column)))
            return builder.bitcast(builder.gep(base, [offset]), vector.as_pointer())

        places = [(r, v, cgutils.alloca_once(builder, vector)) for r in range(ROWS) for v in range(VECTORS)]
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
def _product(init, init0, init_row, left, left_row, left_inner, right, right0, rows, inner, out, out0, units):
    """out (rows x units) = init + left @ right, in tiles; writes up to the next multiple of ROWS rows."""
    for row in range(0, rows, ROWS):
        for column in range(0, units, COLUMNS):
            _tile(  # type: ignore[call-arg]
                init, init0 + row * init_row + column, init_row,
                left, row * left_row, left_row, left_inner,
                right, right0 + column, units,
                out, out0 + row * units + column, units, inner,
            )  # fmt: skip


@njit(inline="always")
def _add(out, out0, factor, row, row0, units):
    """out[j] += factor row[j] for j < units. The inner loop's length is a constant, so that it becomes vector
    code without a remainder."""
    for column in range(0, units, COLUMNS):
        for j in range(COLUMNS):
            out[out0 + column + j] += factor * row[row0 + column + j]


@njit(inline="always")
def _copy(out, out0, row, row0, units):
    """out[j] = row[j] for j < units."""
    for column in range(0, units, COLUMNS):
        for j in range(COLUMNS):
            out[out0 + column + j] = row[row0 + column + j]


@njit(inline="always")
def _dot(left, left0, right, right0, units):
    """Sum over j < units of left[j] right[j]."""
    total = np.float32(0)
    for column in range(0, units, COLUMNS):
        for j in range(COLUMNS):
            total += left[left0 + column + j] * right[right0 + column + j]
    return total


@njit(inline="always")
def _column_sums(zeros, one, matrix, work, out, out0, rows, units):
    """out[j] = sum over r < rows of matrix[r, j], as a product with ones that stays in registers (ROWS equal
    rows, one of which is kept)."""
    _product(zeros, 0, 0, one, 0, 0, matrix, 0, 1, rows, work, 0, units)
    _copy(out, out0, work, 0, units)


@njit(cache=True, fastmath=True, error_model="numpy")
def _forward(index, value, count, rows, params, features, width, units, layers, hidden, out):
    """hidden[l, r * units + j] and out[r] of the examples whose numbers are `rows`."""
    batch = len(rows)
    bias = features * units
    first = hidden[0]
    for r in range(batch):
        s = rows[r]
        _copy(first, r * units, params, bias, units)
        for k in range(count[s]):
            _add(first, r * units, value[s, k], params, index[s, k] * units, units)
    for j in range(batch * units):
        first[j] = max(first[j], np.float32(0))
    at = bias + units
    for l in range(1, layers):  # noqa: E741
        bias = at + width * units
        _product(params, bias, 0, hidden[l - 1], units, 1, params, at, batch, width, hidden[l], 0, units)
        current = hidden[l]
        for j in range(batch * units):
            current[j] = max(current[j], np.float32(0))
        at = bias + units
    last = hidden[layers - 1]
    for r in range(batch):
        out[r] = params[at + units] + _dot(last, r * units, params, at, units)


@njit(cache=True, fastmath=True, error_model="numpy")
def _backward(
    index, value, count, rows, params, features, width, units, layers, hidden, slope, grads, work, one
):
    """grads = gradient of the batch's loss, given slope[r] = d loss / d out[r]. `work` is float32[3, >= rows
    and width, units]."""
    batch = len(rows)
    grads[:] = 0
    delta, before, transposed = work[0], work[1], work[2]
    zeros = grads  # the first layer's gradient is written last, so until then its place is a row of zeros
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
        _column_sums(zeros, one, delta, before, grads, bias, batch, units)
        inputs = hidden[l - 1]
        # Rows of W's gradient are inputs; tiles may overhang the last by ROWS - 1 rows, onto what the next
        # lines restore.
        full = width - width % ROWS
        _product(zeros, 0, 0, inputs, 1, units, delta, 0, full, batch, grads, at, units)
        for i in range(full, width):
            for r in range(batch):
                _add(grads, at + i * units, inputs[r * units + i], delta, r * units, units)
        for i in range(width):
            for j in range(width):
                transposed[j * units + i] = params[at + i * units + j]
        _product(zeros, 0, 0, delta, units, 1, transposed, 0, batch, width, before, 0, units)
        for j in range(batch * units):
            delta[j] = before[j] if inputs[j] > 0 else np.float32(0)
    _column_sums(zeros, one, delta, before, grads, features * units, batch, units)
    for r in range(batch):
        s = rows[r]
        for k in range(count[s]):
            _add(grads, index[s, k] * units, value[s, k], delta, r * units, units)


@njit(cache=True, fastmath=True, error_model="numpy")
def _adam(params, first, second, grads, rate, beta1, beta2, epsilon):
    """One step of Adam; `rate` already holds the bias corrections, as in Kingma & Ba (2015), end of section
    2."""
    for p in range(len(params)):
        first[p] = beta1 * first[p] + (np.float32(1) - beta1) * grads[p]
        second[p] = beta2 * second[p] + (np.float32(1) - beta2) * grads[p] * grads[p]
        params[p] -= rate * first[p] / (np.sqrt(second[p]) + epsilon)


@njit(cache=True, error_model="numpy")
def train(
    index,
    value,
    count,
    targets,
    orders,
    params,
    moments,
    steps,
    features,
    width,
    layers,
    batch,
    squared,
    rate,
    beta1,
    beta2,
    epsilon,
):
    """Train one network in place and return the number of steps taken so far.

    Args:
        index, value: int32[n, K], float32[n, K]; count: int64[n]; the examples' features.
        targets: float32[n].
        orders: int32[epochs, n], the order in which each epoch visits the examples.
        params: float32[P]; moments: float32[2, P], Adam's running means; steps: how many steps they have
            seen.
        squared: mean squared error if true, else mean absolute error.
    """
    units = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    room = (max(batch, width) + ROWS - 1) // ROWS * ROWS
    hidden = np.zeros((layers, room * units), np.float32)
    work = np.zeros((3, room * units), np.float32)
    out = np.empty(batch, np.float32)
    slope = np.empty(batch, np.float32)
    one = np.ones(1, np.float32)
    grads = np.empty(len(params), np.float32)
    beta1, beta2, epsilon = np.float32(beta1), np.float32(beta2), np.float32(epsilon)
    for epoch in range(len(orders)):
        for begin in range(0, len(targets), batch):
            rows = orders[epoch, begin : begin + batch]
            _forward(index, value, count, rows, params, features, width, units, layers, hidden, out)
            for r in range(len(rows)):
                error = out[r] - targets[rows[r]]
                slope[r] = (np.float32(2) * error if squared else np.sign(error)) / np.float32(len(rows))
            _backward(
                index,
                value,
                count,
                rows,
                params,
                features,
                width,
                units,
                layers,
                hidden,
                slope,
                grads,
                work,
                one,
            )
            steps += 1
            corrected = np.float32(
                rate * np.sqrt(1 - np.float64(beta2) ** steps) / (1 - np.float64(beta1) ** steps)
            )
            _adam(params, moments[0], moments[1], grads, corrected, beta1, beta2, epsilon)
    return steps


@njit(cache=True, error_model="numpy")
def predict(index, value, count, params, features, width, layers, out):
    """out[s] = the network's prediction for example s of n."""
    units = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    hidden = np.zeros((layers, 32 * units), np.float32)
    rows = np.arange(len(out)).astype(np.int32)
    for begin in range(0, len(out), 32):
        _forward(
            index,
            value,
            count,
            rows[begin : begin + 32],
            params,
            features,
            width,
            units,
            layers,
            hidden,
            out[begin : begin + 32],
        )


@njit(cache=True, error_model="numpy")
def initialise(generator, params, features, width, layers):
    """Draw Glorot-uniform weights, U(-a, a) with a = sqrt(6 / (inputs + outputs)), and zero biases (Keras's
    default)."""
    units = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    params[:] = 0
    at = 0
    for l in range(layers + 1):  # noqa: E741
        inputs = features if l == 0 else width
        outputs = width if l < layers else 1
        limit = np.sqrt(6.0 / (inputs + outputs))
        for i in range(inputs):
            for j in range(outputs):
                place = at + i * units + j if l < layers else at + i
                params[place] = np.float32((2.0 * generator.random() - 1.0) * limit)
        at += (inputs + 1) * units
