"""The OTMANN distance between cells (Kandasamy et al., "Neural Architecture Search with Bayesian Optimisation
and Optimal Transport", NeurIPS 2018, section 3), solved exactly for graphs of a few vertices.

Notation: a cell has an input, an output and at most I inner vertices, each a convolution (with a filter size)
or a pooling; K weights nu. A vertex u has a mass m(u), a label, and 18 path lengths: from the input and to
the output, counting all vertices, convolutions only or poolings only, by the shortest path, the longest and a
random walk (`PATHS` each way).

The distance is the cost of the best transport of one cell's mass to the other's (eq. 2 there):

    d = min over Z >= 0 of  sum_uv Z_uv (mislabel(u, v) + nu structure(u, v)) + unmatched mass of both cells,

where Z moves at most m(u) out of u and m(v) into v, structure(u, v) is the mean absolute difference of the
path lengths, and a unit of mass that is not matched costs 1. Moving a unit saves the 2 that its ends would
cost unmatched, so with M the cells' total masses

    d = M(a) + M(b) - max over Z of sum_uv Z_uv (2 - mislabel(u, v) - nu structure(u, v)),

and only pairs with a positive saving matter. Mislabel is infinite between input, output, convolutions and
poolings, so these are four separate problems. All convolutions have the same mass and so have all poolings; a
transport problem between equal masses has an optimum that matches whole vertices (its constraint matrix is
totally unimodular), which a dynamic programme over subsets finds exactly.

Masses are those of the authors' code (`compute_layer_masses`): the units of a layer times those of its input
for a convolution, the units of its input for a pooling, whatever the size of the filter, and a tenth of all
that for input and output. Cells do not set their width, so every vertex has the C = 128 channels of
NASBench-101's first stack; masses are in units of C^2. Then a convolution weighs 1, a pooling 1/128, and an
end at least 100/128^2. Filter sizes cost sqrt(2)/10 sqrt(difference), 0.2 between 1 x 1 and 3 x 3; a maximum
against an average 0.5 (ibid.). The code's fourth group of layers, fully connected ones, and its decision
layers have no counterpart in a cell.

A cell is described by a row of floats (`describe`): number of convolutions, number of poolings, mass of an
end, what distinguishes each inner vertex from others of its class (I floats, convolutions first), the input's
path lengths to the output, the output's from the input (PATHS each), and 2 PATHS lengths of the inner
vertices in the same order, MAX_INNER places per length.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numba import njit

PATHS = 9
LANES = 4  # structural weights handled at a time: a vector register of floats
CHANNELS = 128
POOLING_MASS = 1 / CHANNELS
END_FRACTION = 0.1
END_FLOOR = 100 / CHANNELS**2
FILTER_SCALE = np.sqrt(2) / 10
POOLING_MISMATCH = 0.5
MAX_INNER = 8  # the dynamic programme goes through 2^inner subsets, and eight floats are a vector register
CONVOLUTION, POOLING = 0, 1
APART = 1000.0  # kinds so far apart cost more than the 2 that matching saves


class Work(NamedTuple):
    """What `distance` works with, for cells of at most I inner vertices."""

    inner: int  # I
    sets: np.ndarray  # int64[2^I], how many elements each set of I has
    structure: np.ndarray  # float32[MAX_INNER^2], differences of path lengths
    saving: np.ndarray  # float32[I^2 LANES], what matching two vertices saves
    best: np.ndarray  # float32[2^I LANES], the most that a set of rows saves


def vertex_classes(labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Class (`CONVOLUTION` or `POOLING`) and kind of each label, or None if one is neither.

    A convolution's kind is its filter size, taken from the label's last digit; a pooling's is 1 for an
    average and 0 otherwise.
    """
    classes, kinds = [], []
    for label in labels:
        size = re.search(r"(\d)\D*$", label)
        if "conv" in label and size:
            classes.append(CONVOLUTION)
            kinds.append(float(size.group(1)))
        elif "pool" in label:
            classes.append(POOLING)
            kinds.append(float("avg" in label))
        else:
            return None
    return np.array(classes, dtype=np.int64), np.array(kinds)


def vertex_classes_of_all(labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The same for labels of any kind. What is neither convolution nor pooling never matches another label:
    `skip_connect` and the like have the mass of a pooling, as they too pass their input's units on, and every
    other operation that of a convolution."""
    classes, kinds = [], []
    for place, label in enumerate(labels, start=1):
        known = vertex_classes((label,))
        if known is not None:
            classes.append(int(known[0][0]))
            kinds.append(float(known[1][0]))
        else:
            classes.append(POOLING if "skip" in label else CONVOLUTION)
            kinds.append(place * APART)
    return np.array(classes, dtype=np.int64), np.array(kinds)


def width(inner: int) -> int:
    """Length of a description with at most `inner` inner vertices."""
    return 3 + inner + 2 * PATHS * (1 + MAX_INNER)


@njit(cache=True)
def describe(
    matrices: np.ndarray, labels: np.ndarray, classes: np.ndarray, kinds: np.ndarray, out: np.ndarray
) -> None:
    """Fill out float32[M, width] from adjacency matrices int8[M, V, V] (upper triangular, not pruned) and the
    inner vertices' labels int8[M, V - 2] (indices into classes, kinds). A graph without a path from input to
    output has no inner vertices and lengths 0."""
    num = matrices.shape[1]
    inner = num - 2
    alive = np.zeros(num, np.bool_)
    begun = np.zeros(num, np.bool_)
    lengths = np.zeros((2, num, PATHS))
    for i in range(len(matrices)):
        matrix = matrices[i]
        begun[:] = False
        begun[0] = True
        for v in range(1, num):
            for u in range(v):
                begun[v] |= begun[u] and matrix[u, v] != 0
        alive[:] = False
        alive[num - 1] = begun[num - 1]
        for u in range(num - 2, -1, -1):
            for v in range(u + 1, num):
                alive[u] |= begun[u] and alive[v] and matrix[u, v] != 0
        lengths[:] = 0
        for v in range(1, num):
            _aggregate(matrix, alive, v, True, labels[i], classes, lengths[0])
        for v in range(num - 2, -1, -1):
            _aggregate(matrix, alive, v, False, labels[i], classes, lengths[1])
        row = out[i]
        row[:] = 0
        total = 0.0
        place = 0
        for group in (CONVOLUTION, POOLING):
            for v in range(1, num - 1):
                label = labels[i, v - 1]
                if alive[v] and classes[label] == group:
                    row[group] += 1
                    row[3 + place] = kinds[label]
                    total += 1.0 if group == CONVOLUTION else POOLING_MASS
                    for way in range(2):
                        for p in range(PATHS):
                            row[3 + inner + 2 * PATHS + (way * PATHS + p) * MAX_INNER + place] = lengths[
                                way, v, p
                            ]
                    place += 1
        row[2] = max(END_FRACTION * total, END_FLOOR)
        for p in range(PATHS):
            row[3 + inner + p] = lengths[1, 0, p]
            row[3 + inner + PATHS + p] = lengths[0, num - 1, p]


@njit(cache=True)
def _aggregate(
    matrix: np.ndarray,
    alive: np.ndarray,
    v: int,
    backward: bool,
    labels: np.ndarray,
    classes: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """lengths[v, 3 group + type] from those of v's parents (backward) or children: 1 more where v belongs to
    the group (all, convolutions, poolings), by the minimum, the maximum and the mean."""
    if not alive[v]:
        return
    num = len(alive)
    for group in range(3):
        belongs = group == 0 or (0 < v < num - 1 and classes[labels[v - 1]] == group - 1)
        step = 1.0 if belongs else 0.0
        shortest, longest, walk, count = np.inf, 0.0, 0.0, 0
        for u in range(num):
            joined = (u < v and matrix[u, v] != 0) if backward else (u > v and matrix[v, u] != 0)
            if joined and alive[u]:
                shortest = min(shortest, lengths[u, 3 * group] + step)
                longest = max(longest, lengths[u, 3 * group + 1] + step)
                walk += lengths[u, 3 * group + 2] + step
                count += 1
        if count:
            lengths[v, 3 * group] = shortest
            lengths[v, 3 * group + 1] = longest
            lengths[v, 3 * group + 2] = walk / count


@njit(cache=True)
def total_mass(row: np.ndarray) -> float:
    """Mass of a described cell, its ends included."""
    mass: float = row[0] + row[1] * POOLING_MASS + 2 * row[2]
    return mass


@njit(cache=True, fastmath=True, error_model="numpy")
def _end_structure(a: np.ndarray, b: np.ndarray, start: int) -> np.float32:
    """Mean absolute difference of an end's path lengths, of which one way's are all 0."""
    total = np.float32(0)
    for p in range(start, start + PATHS):
        total += abs(a[p] - b[p])
    return total / np.float32(2 * PATHS)


@njit(cache=True, fastmath=True, error_model="numpy")
def _inner_structure(a: np.ndarray, b: np.ndarray, start: int, count: int, out: np.ndarray) -> None:
    """out[u * MAX_INNER + v] = sum of absolute differences of path lengths, inner vertex u < count of a and v
    of b."""
    # Eight sums by name are eight lanes of one register to the compiler; an array of them is not.
    zero = np.float32(0)
    for u in range(np.uint64(count)):
        c0, c1, c2, c3, c4, c5, c6, c7 = zero, zero, zero, zero, zero, zero, zero, zero
        for p in range(np.uint64(2 * PATHS)):
            at = np.uint64(start) + p * np.uint64(MAX_INNER)
            length = a[at + u]
            c0 += abs(length - b[at])
            c1 += abs(length - b[at + np.uint64(1)])
            c2 += abs(length - b[at + np.uint64(2)])
            c3 += abs(length - b[at + np.uint64(3)])
            c4 += abs(length - b[at + np.uint64(4)])
            c5 += abs(length - b[at + np.uint64(5)])
            c6 += abs(length - b[at + np.uint64(6)])
            c7 += abs(length - b[at + np.uint64(7)])
        to = u * np.uint64(MAX_INNER)
        out[to], out[to + np.uint64(1)], out[to + np.uint64(2)], out[to + np.uint64(3)] = c0, c1, c2, c3
        out[to + np.uint64(4)], out[to + np.uint64(5)], out[to + np.uint64(6)], out[to + np.uint64(7)] = (
            c4,
            c5,
            c6,
            c7,
        )


@njit(cache=True, fastmath=True, error_model="numpy")
def match(saving: np.ndarray, rows: int, columns: int, sets: np.ndarray, best: np.ndarray) -> None:
    """Write the largest sums of savings over all matchings of columns to different rows (columns <= rows) to
    best[:LANES], one per lane.

    No saving is negative, so some best matching uses every column. Let best[S] be the most that the first |S|
    columns save when matched to the rows of S: it is the maximum over j in S of best[S less j] +
    saving(column |S|, row j).

    saving: float32[columns * rows * LANES]; sets: int64[2^rows], the number of elements of each set; best:
    float32[2^rows * LANES] to work in.
    """
    one, lanes, full = np.uint64(1), np.uint64(LANES), np.uint64(1) << np.uint64(rows)
    zero = np.float32(0)
    m0, m1, m2, m3 = zero, zero, zero, zero
    for k in range(LANES):
        best[k] = zero
    for s in range(one, full):
        size = sets[s]
        if size > columns:
            continue
        b0, b1, b2, b3 = zero, zero, zero, zero
        gain = np.uint64(size - 1) * np.uint64(rows) * lanes
        for j in range(np.uint64(rows)):
            if (s >> j) & one:
                before = (s ^ (one << j)) * lanes
                b0 = max(b0, best[before] + saving[gain])
                b1 = max(b1, best[before + one] + saving[gain + one])
                b2 = max(b2, best[before + np.uint64(2)] + saving[gain + np.uint64(2)])
                b3 = max(b3, best[before + np.uint64(3)] + saving[gain + np.uint64(3)])
            gain += lanes
        at = s * lanes
        best[at], best[at + one], best[at + np.uint64(2)], best[at + np.uint64(3)] = b0, b1, b2, b3
        m0, m1, m2, m3 = max(m0, b0), max(m1, b1), max(m2, b2), max(m3, b3)
    best[0], best[1], best[2], best[3] = m0, m1, m2, m3


@njit(cache=True, fastmath=True, error_model="numpy")
def distance(a: np.ndarray, b: np.ndarray, weights: np.ndarray, work: Work, out: np.ndarray) -> None:
    """out[k] = the OTMANN distance of described cells a and b with structural weight weights[k], k <
    LANES."""
    structure, saving, best = work.structure, work.saving, work.best
    ends = 3 + work.inner
    two, zero = np.float32(2), np.float32(0)
    total = total_mass(a) + total_mass(b)
    moved = min(a[2], b[2])
    first, last = _end_structure(a, b, ends), _end_structure(a, b, ends + PATHS)
    for k in range(LANES):
        out[k] = total - moved * (max(zero, two - weights[k] * first) + max(zero, two - weights[k] * last))
    _inner_structure(a, b, ends + 2 * PATHS, int(a[0] + a[1]), structure)
    skip_a, skip_b = 0, 0
    for group in range(2):
        count_a, count_b = int(a[group]), int(b[group])
        if count_a and count_b:
            flip = count_a < count_b
            rows, columns = (count_b, count_a) if flip else (count_a, count_b)
            for i in range(columns):
                for j in range(rows):
                    u, v = (skip_a + i, skip_b + j) if flip else (skip_a + j, skip_b + i)
                    most = two
                    gap = abs(a[3 + u] - b[3 + v])
                    if gap > zero:
                        most -= (
                            np.float32(FILTER_SCALE) * np.sqrt(gap)
                            if group == CONVOLUTION
                            else np.float32(POOLING_MISMATCH) * gap
                        )
                    mean = structure[u * MAX_INNER + v] / np.float32(2 * PATHS)
                    at = (i * rows + j) * LANES
                    for k in range(LANES):
                        saving[at + k] = max(zero, most - weights[k] * mean)
            match(saving, rows, columns, work.sets, best)
            mass = np.float32(1) if group == CONVOLUTION else np.float32(POOLING_MASS)
            for k in range(LANES):
                out[k] -= mass * best[k]
        skip_a += count_a
        skip_b += count_b
    for k in range(LANES):
        out[k] = max(out[k], zero)


@njit(cache=True)
def workspace(inner: int) -> Work:
    """For `distance` between cells of at most `inner` inner vertices."""
    return Work(
        inner,
        set_sizes(inner),
        np.empty(MAX_INNER**2, np.float32),
        np.empty(inner * inner * LANES, np.float32),
        np.empty((1 << inner) * LANES, np.float32),
    )


@njit(cache=True)
def set_sizes(elements: int) -> np.ndarray:
    """int64[2^elements]: how many elements each set has."""
    out = np.zeros(1 << elements, np.int64)
    for s in range(1, 1 << elements):
        out[s] = out[s >> 1] + (s & 1)
    return out
