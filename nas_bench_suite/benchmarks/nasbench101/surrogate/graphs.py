"""Cells as padded graphs, and what follows from a graph alone: channels and trainable parameters.

Notation and shapes
    N            number of cells
    adjacency    bool[N, 7, 7], strictly upper triangular. Slot 0 is the input, slot 6 the output, slots
                 1..n-2 the inner vertices in their own order; the slots between are empty
    ops          int8[N, 7]: 0 input, 1 conv1x1, 2 conv3x3, 3 maxpool3x3, 4 output, -1 empty slot
    channels     int[N, 7] at a width of 128 (first stack)

The output sits in slot 6 whatever the number of vertices, so that one array program handles every cell.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

SLOTS = 7
OP_CODES = {"input": 0, "conv1x1": 1, "conv3x3": 2, "maxpool3x3": 3, "output": 4}
INPUT, CONV1X1, CONV3X3, MAXPOOL, OUTPUT = range(5)
STEM_CHANNELS = 128
STACKS = 3
MODULES_PER_STACK = 3
CLASSES = 10


def padded(matrix_rows: list[np.ndarray], labels: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Pad pruned cells to seven slots.

    Args:
        matrix_rows: for each cell the pruned adjacency matrix, int[n, n] (any n from 2 to 7).
        labels: for each cell its n operations, by the names in ``OP_CODES``.
    Returns:
        adjacency bool[N, 7, 7] and ops int8[N, 7].
    """
    count = len(matrix_rows)
    adjacency = np.zeros((count, SLOTS, SLOTS), dtype=bool)
    ops = np.full((count, SLOTS), -1, dtype=np.int8)
    for index, (matrix, names) in enumerate(zip(matrix_rows, labels, strict=True)):
        n = len(names)
        slots = np.r_[np.arange(n - 1), SLOTS - 1]
        adjacency[index][np.ix_(slots, slots)] = np.asarray(matrix).reshape(n, n) != 0
        ops[index, slots] = [OP_CODES[name] for name in names]
    return adjacency, ops


def vertex_channels(adjacency: np.ndarray, width: int = STEM_CHANNELS) -> np.ndarray:
    """Channels of each vertex, as the official ``compute_vertex_channels`` divides them.

    The output's channels are divided among the inner vertices that feed it (the first few take one more where
    the division leaves a remainder); any other inner vertex takes the largest of its successors'. Slot 0
    holds the module's *output* width here: what a projection costs depends on the module's input, which the
    caller knows.

    Args:
        adjacency: bool[N, 7, 7]; width: channels of the module's output.
    Returns:
        int64[N, 7]; zero in empty slots.
    """
    feeds = adjacency[:, 1 : SLOTS - 1, SLOTS - 1]
    feeders = feeds.sum(axis=1)
    share = width // np.maximum(feeders, 1)
    remainder = width % np.maximum(feeders, 1)
    rank = np.cumsum(feeds, axis=1)
    channels = np.zeros(adjacency.shape[:2], dtype=np.int64)
    channels[:, 0] = channels[:, SLOTS - 1] = width
    channels[:, 1 : SLOTS - 1] = np.where(feeds, share[:, None] + (rank <= remainder[:, None]), 0)
    for v in range(SLOTS - 3, 0, -1):
        successors = np.where(adjacency[:, v, v + 1 : SLOTS - 1], channels[:, v + 1 : SLOTS - 1], 0).max(
            axis=1
        )
        channels[:, v] = np.where(feeds[:, v - 1], channels[:, v], successors)
    return channels


def _module_parameters(adjacency: np.ndarray, ops: np.ndarray, inputs: int, width: int) -> np.ndarray:
    """Trainable parameters of one module with ``inputs`` channels in and ``width`` out, int64[N]."""
    channels = vertex_channels(adjacency, width)
    inner = channels[:, 1 : SLOTS - 1]
    kinds = ops[:, 1 : SLOTS - 1]
    batch_norm = 2 * inner
    operations = np.select(
        [kinds == CONV1X1, kinds == CONV3X3], [inner * inner + batch_norm, 9 * inner * inner + batch_norm], 0
    )
    projections = np.where(adjacency[:, 0, 1 : SLOTS - 1], inputs * inner + batch_norm, 0)
    skip = np.where(adjacency[:, 0, SLOTS - 1], inputs * width + 2 * width, 0)
    total: np.ndarray = operations.sum(axis=1) + projections.sum(axis=1) + skip
    return total


def trainable_parameters(adjacency: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Trainable parameters of the whole CIFAR-10 network built from each cell, int64[N].

    Stem (3x3 convolution to 128 channels, batch normalisation), three stacks of three modules with the
    channels doubled between stacks, global average pooling and a dense layer (Ying et al. 2019, section 2;
    batch normalisation has two trainable vectors, convolutions no bias).
    """
    total = np.full(len(ops), 27 * STEM_CHANNELS + 2 * STEM_CHANNELS, dtype=np.int64)
    inputs, width = STEM_CHANNELS, STEM_CHANNELS
    for stack in range(STACKS):
        if stack > 0:
            width *= 2
        for _ in range(MODULES_PER_STACK):
            total += _module_parameters(adjacency, ops, inputs, width)
            inputs = width
    return total + width * CLASSES + CLASSES


def from_strings(architectures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prune strings of the search space and return their graphs.

    Args:
        architectures: int[N, 26], the 21 edges of the upper triangle row by row, then 5 operations (conv1x1,
            conv3x3, maxpool3x3).
    Returns: adjacency bool[N, 7, 7] and ops int8[N, 7]; vertices that lie on no path from input to output are
        empty slots.
    """
    architectures = np.asarray(architectures)
    count = len(architectures)
    adjacency = np.zeros((count, SLOTS, SLOTS), dtype=bool)
    rows, columns = np.triu_indices(SLOTS, 1)
    adjacency[:, rows, columns] = architectures[:, :21] != 0
    ops = np.empty((count, SLOTS), dtype=np.int8)
    ops[:, 0], ops[:, SLOTS - 1] = INPUT, OUTPUT
    ops[:, 1 : SLOTS - 1] = architectures[:, 21:] + CONV1X1
    reached = np.zeros((count, SLOTS), dtype=bool)
    reached[:, 0] = True
    for v in range(1, SLOTS):
        reached[:, v] = (adjacency[:, :v, v] & reached[:, :v]).any(axis=1)
    useful = np.zeros((count, SLOTS), dtype=bool)
    useful[:, SLOTS - 1] = True
    for v in range(SLOTS - 2, -1, -1):
        useful[:, v] = (adjacency[:, v, v + 1 :] & useful[:, v + 1 :]).any(axis=1)
    kept = reached & useful
    adjacency &= kept[:, :, None] & kept[:, None, :]
    ops[~kept] = -1
    return adjacency, ops


def to_strings(adjacency: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Strings of the search space that describe padded graphs, int8[N, 26]; empty slots carry the first
    operation, on no edge."""
    rows, columns = np.triu_indices(SLOTS, 1)
    inner = np.maximum(ops[:, 1 : SLOTS - 1] - CONV1X1, 0)
    return np.concatenate([adjacency[:, rows, columns].astype(np.int8), inner.astype(np.int8)], axis=1)


@lru_cache(maxsize=1)
def _relabellings() -> np.ndarray:
    """All orders of the five inner slots, int64[120, 7]: entry v is the slot that moves to place v."""
    return np.array([(0, *order, SLOTS - 1) for order in itertools.permutations(range(1, SLOTS - 1))])


def official_parameters(adjacency: np.ndarray, ops: np.ndarray, chunk: int = 4096) -> np.ndarray:
    """Trainable parameters of each cell as the dataset's authors trained it, int64[N].

    Where 3 or 5 vertices feed the output, 128 channels don't divide evenly and the first vertices take one
    channel more, so isomorphic matrices give networks that differ by a few thousand parameters. The authors
    kept the first matrix of each class that their enumeration met (``generate_graph.py``): edges (x, y) as
    bits x + y (y - 1) / 2 of an ascending number, then the labels in the order conv3x3, conv1x1, maxpool3x3,
    last vertex most significant. That one is sought here among the relabellings (the matrices and labels of
    all 5,318 such observed cells are found again this way).

    Args:
        adjacency: bool[N, 7, 7], ops: int8[N, 7], pruned and padded in any order.
    """
    total = trainable_parameters(adjacency, ops)
    uneven = np.flatnonzero(STEM_CHANNELS % np.maximum(adjacency[:, 1:-1, -1].sum(axis=1), 1) != 0)
    for start in range(0, len(uneven), chunk):
        rows = uneven[start : start + chunk]
        total[rows] = trainable_parameters(*official_order(adjacency[rows], ops[rows]))
    return total


def official_order(adjacency: np.ndarray, ops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The relabelling of each cell that the official enumeration meets first; shapes as given, inner vertices
    first."""
    orders = _relabellings()
    moved = adjacency[:, orders[:, :, None], orders[:, None, :]]
    labels = ops[:, orders]
    upper = ~np.tril(np.ones((SLOTS, SLOTS), dtype=bool), -1)
    fits = (moved <= upper).all(axis=(2, 3))
    # Empty slots last: present vertices must fill places 1 .. n - 2.
    present = labels[:, :, 1:-1] >= 0
    fits &= (present[:, :, :-1] >= present[:, :, 1:]).all(axis=2)
    inner = present.sum(axis=2)
    key = np.zeros(fits.shape, dtype=np.int64)
    for y in range(1, SLOTS - 1):
        for x in range(y):
            key |= moved[:, :, x, y].astype(np.int64) << (x + y * (y - 1) // 2)
    for x in range(SLOTS - 1):  # the output is vertex n - 1 there
        y = inner + 1
        key |= moved[:, :, x, SLOTS - 1].astype(np.int64) << (x + y * (y - 1) // 2)
    # conv1x1 is the second label, conv3x3 the first; index -1 (empty) counts nothing
    digit = np.array([0, 1, 0, 2, 0, 0])
    for v in range(SLOTS - 2, 0, -1):
        key = key * 3 + digit[labels[:, :, v]]
    best = np.where(fits, key, np.iinfo(np.int64).max).argmin(axis=1)
    pick = np.arange(len(adjacency))
    return moved[pick, best], labels[pick, best]
