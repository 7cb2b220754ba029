"""Cells as padded graphs, and what follows from a graph alone: channels and trainable parameters.

Notation and shapes
    N            number of cells
    adjacency    bool[N, 7, 7], strictly upper triangular. Slot 0 is the input, slot 6 the output, slots 1..n-2 the inner
                 vertices in their own order; the slots between are empty
    ops          int8[N, 7]: 0 input, 1 conv1x1, 2 conv3x3, 3 maxpool3x3, 4 output, -1 empty slot
    channels     int[N, 7] at a width of 128 (first stack)

The output sits in slot 6 whatever the number of vertices, so that one array program handles every cell.
"""

from __future__ import annotations

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

    The output's channels are divided among the inner vertices that feed it (the first few take one more where the
    division leaves a remainder); any other inner vertex takes the largest of its successors'. Slot 0 holds the
    module's *output* width here: what a projection costs depends on the module's input, which the caller knows.

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
        successors = np.where(adjacency[:, v, v + 1 : SLOTS - 1], channels[:, v + 1 : SLOTS - 1], 0).max(axis=1)
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
    return operations.sum(axis=1) + projections.sum(axis=1) + skip


def trainable_parameters(adjacency: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """Trainable parameters of the whole CIFAR-10 network built from each cell, int64[N].

    Stem (3x3 convolution to 128 channels, batch normalisation), three stacks of three modules with the channels doubled
    between stacks, global average pooling and a dense layer (Ying et al. 2019, section 2; batch normalisation has
    two trainable vectors, convolutions no bias).
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
