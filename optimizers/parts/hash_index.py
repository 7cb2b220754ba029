"""A table of places by 64-bit key, for kernels: open addressing with linear probing.

A trial's `keys` int64[K] are those of its first `count` entries; `table` int32[M], M a power of two and at
least 2 K, holds their places, -1 where it is empty.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def slot(table, keys, key):
    """Where in a trial's table the key is, or would be. Keys are mixed first: ids are dense numbers, whose
    low bits alone would cluster."""
    mask = len(table) - 1
    place = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
    while table[place] >= 0 and keys[table[place]] != key:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def index(count, keys, tables):
    """Fill the empty tables of all trials: count int64[T], keys int64[T, K], tables int32[T, M]."""
    for t in range(len(count)):
        for place in range(count[t]):
            tables[t, slot(tables[t], keys[t], keys[t, place])] = place
