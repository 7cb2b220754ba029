"""What the models see of a cell: vertex features and global features for the network, one flat row for the
trees.

Notation and shapes
    N            number of cells; adjacency bool[N, 7, 7], ops int8[N, 7] and channels as in ``graphs``
    vertex       float32[N, 7, V]; empty slots are zero
    globals      float32[N, G]
    flat         float32[N, F]: global features, counts by operation and by pair of operations, paths

Every feature but the channels is invariant under the order of the inner vertices; the channels of cells whose
output is fed by 3, 5 or 6 vertices carry a remainder of one channel that follows the order, about one part in
forty.
"""

from __future__ import annotations

import itertools

import numpy as np

from nas_bench_suite.benchmarks.nasbench101.surrogate.graphs import (
    CONV1X1,
    CONV3X3,
    INPUT,
    MAXPOOL,
    OUTPUT,
    SLOTS,
    trainable_parameters,
    vertex_channels,
)

KINDS = (CONV1X1, CONV3X3, MAXPOOL)
KIND_NAMES = {CONV1X1: "conv1x1", CONV3X3: "conv3x3", MAXPOOL: "maxpool"}
FAR = 99.0


def _longest(adjacency: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Greatest sum of vertex weights over paths from the input to each vertex, its own included; float[N,
    7]."""
    best = np.full(weight.shape, -FAR)
    best[:, 0] = 0.0
    for v in range(1, SLOTS):
        arriving = np.where(adjacency[:, :v, v], best[:, :v], -FAR).max(axis=1)
        best[:, v] = np.where(arriving > -FAR, arriving + weight[:, v], -FAR)
    return best


def _longest_onward(adjacency: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Greatest sum of weights over paths from each vertex to the output, its own excluded; float[N, 7]."""
    best = np.full(weight.shape, -FAR)
    best[:, SLOTS - 1] = 0.0
    for v in range(SLOTS - 2, -1, -1):
        onward = np.where(adjacency[:, v, v + 1 :], best[:, v + 1 :] + weight[:, v + 1 :], -FAR).max(axis=1)
        best[:, v] = onward
    return best


def _path_counts(adjacency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Paths from the input to each vertex, and from each vertex to the output; float[N, 7] each."""
    count = len(adjacency)
    forward = np.zeros((count, SLOTS))
    forward[:, 0] = 1.0
    for v in range(1, SLOTS):
        forward[:, v] = (adjacency[:, :v, v] * forward[:, :v]).sum(axis=1)
    backward = np.zeros((count, SLOTS))
    backward[:, SLOTS - 1] = 1.0
    for v in range(SLOTS - 2, -1, -1):
        backward[:, v] = (adjacency[:, v, v + 1 :] * backward[:, v + 1 :]).sum(axis=1)
    return forward, backward


def multiplications(adjacency: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Multiplications per pixel of a module whose input and output are 128 channels wide, float64[N]."""
    channels = vertex_channels(adjacency).astype(np.float64)
    own = channels**2 * np.select([ops == CONV1X1, ops == CONV3X3], [1.0, 9.0], 0.0)
    projection = adjacency[:, 0, :] * channels * channels[:, :1]
    return np.asarray(own.sum(axis=1) + projection.sum(axis=1))


def vertex_features(adjacency: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Features of each vertex, float32[N, 7, V]: operation, channels, degrees, depths, paths; zero in empty
    slots."""
    present = ops >= 0
    channels = vertex_channels(adjacency)
    ones = np.ones(ops.shape)
    inner = ((ops > INPUT) & (ops < OUTPUT)).astype(float)
    conv3 = (ops == CONV3X3).astype(float)
    forward, backward = _path_counts(adjacency)
    columns = [ops == code for code in range(5)]
    columns += [
        np.log2(np.maximum(channels, 1)) - 5.5,
        channels / 128.0,
        adjacency.sum(axis=1) / 3.0,
        adjacency.sum(axis=2) / 3.0,
        adjacency[:, 0, :],
        adjacency[:, :, SLOTS - 1],
        _longest(adjacency, ones) / 3.0,
        _longest_onward(adjacency, ones) / 3.0,
        -_longest(adjacency, -inner) / 3.0,
        -_longest_onward(adjacency, -inner) / 3.0,
        _longest(adjacency, conv3) / 3.0,
        _longest_onward(adjacency, conv3) / 3.0,
        np.log2(np.maximum(forward, 1.0)) / 3.0,
        np.log2(np.maximum(backward, 1.0)) / 3.0,
    ]
    stacked = np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.float32)
    return stacked * present[..., None].astype(np.float32)


def global_features(adjacency: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Features of the cell as a whole, float32[N, G], roughly centred and scaled."""
    inner = ((ops > INPUT) & (ops < OUTPUT)).astype(float)
    forward, _ = _path_counts(adjacency)
    columns = [(ops == kind).sum(axis=1) / 2.0 for kind in KINDS]
    for kind in KINDS:
        weight = (ops == kind).astype(float)
        columns += [_longest(adjacency, weight)[:, -1] / 2.0, -_longest(adjacency, -weight)[:, -1] / 2.0]
    columns += [
        (ops >= 0).sum(axis=1) - 6.0,
        adjacency.sum(axis=(1, 2)) - 8.0,
        adjacency[:, 0, SLOTS - 1],
        _longest(adjacency, inner)[:, -1] / 3.0,
        -_longest(adjacency, -inner)[:, -1] / 3.0,
        np.log2(np.maximum(forward[:, -1], 1.0)) / 3.0,
        np.log(trainable_parameters(adjacency, ops)) - 16.0,
        np.log(np.maximum(multiplications(adjacency, ops), 1.0)) - 10.0,
        adjacency[:, :, SLOTS - 1].sum(axis=1) - 2.0,
        adjacency[:, 0, :].sum(axis=1) - 2.0,
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _labelled_paths(adjacency: np.ndarray, ops: np.ndarray) -> list[np.ndarray]:
    """Paths from input to output by their sequence of operations, for 0 to 3 inner vertices: 1 + 3 + 9 + 27
    counts."""
    reach: dict[tuple[int, ...], np.ndarray] = {(): np.zeros(ops.shape)}
    reach[()][:, 0] = 1.0
    edges = adjacency.astype(float)
    counts = []
    for length in range(4):
        following: dict[tuple[int, ...], np.ndarray] = {}
        for sequence in itertools.product(KINDS, repeat=length):
            arriving = np.einsum("nu,nuv->nv", reach[sequence], edges)
            counts.append(arriving[:, -1])
            for kind in KINDS:
                following[(*sequence, kind)] = arriving * (ops == kind)
        reach = following
    return counts


def flat_features(adjacency: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """One row of features a cell for gradient-boosted trees, float32[N, F]."""
    vertex = vertex_features(adjacency, ops)
    channels = vertex_channels(adjacency).astype(float)
    forward, backward = _path_counts(adjacency)
    columns = list(global_features(adjacency, ops).T)
    channels_out = channels * adjacency[:, :, SLOTS - 1]
    for kind in KINDS:
        mask = (ops == kind).astype(float)
        some = np.maximum(mask.sum(axis=1), 1.0)
        columns += [(vertex[:, :, f] * mask).sum(axis=1) / some for f in range(5, vertex.shape[2])]
        columns += [
            (channels * mask).sum(axis=1),
            (channels_out * mask).sum(axis=1),
            (mask * adjacency[:, 0, :]).sum(axis=1),
            (forward * backward * mask).sum(axis=1),
            (channels * mask).max(axis=1),
            (mask * (channels_out > 0)).sum(axis=1),
        ]
    for first, second in itertools.product((INPUT, *KINDS), (*KINDS, OUTPUT)):
        pair = (ops == first)[:, :, None] & (ops == second)[:, None, :] & adjacency
        columns.append(pair.sum(axis=(1, 2)))
    # Mean length of a path, and the share of the paths that pass at least one 3x3 convolution.
    conv_free = np.zeros(ops.shape)
    conv_free[:, 0] = 1.0
    for v in range(1, SLOTS):
        arriving = (adjacency[:, :v, v] * conv_free[:, :v]).sum(axis=1)
        conv_free[:, v] = np.where(ops[:, v] == CONV3X3, 0.0, arriving)
    paths = np.maximum(forward[:, -1], 1.0)
    inner = (ops > INPUT) & (ops < OUTPUT)
    columns += [conv_free[:, -1] / paths, (forward * backward * inner).sum(axis=1) / paths]
    columns += _labelled_paths(adjacency, ops)
    return np.stack(columns, axis=1).astype(np.float32)
