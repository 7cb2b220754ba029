"""Hash tables in arrays, for kernels: open addressing with linear probing, looked up and never listed.

Notation: T trials, M slots per trial, a power of two and at least twice the number of entries, so that a
probe ends soon. Keys are any int64 but `EMPTY`. A table comes in one of two forms:

    keys     int64[M] holds the keys themselves, `EMPTY` where a slot is free; what belongs to a key lies at
             the same slot of arrays beside it (`slot`).
    places   int32[M] holds places in an array of keys, -1 where a slot is free; what belongs to a key lies at
             the same place of arrays beside that one, dense and in order of arrival (`place_slot`).

All kernels work on one trial's table, a row of the arrays of T trials, except those that say [T, M].
"""

from __future__ import annotations

import numpy as np
from numba import njit

EMPTY = np.int64(-(2**63))


@njit(cache=True)
def mix(key: int) -> np.int64:
    """32 well-mixed bits of a key. Ids are dense numbers, whose low bits alone would cluster."""
    return np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32))


def num_slots(entries: int) -> int:
    """M for a table that must hold `entries` keys."""
    return 1 << (2 * max(int(entries), 8) - 1).bit_length()


def empty_keys(trials: int, entries: int) -> np.ndarray:
    """int64[T, M]: tables of the first form without a key, for at most `entries` of them."""
    return np.full((trials, num_slots(entries)), EMPTY, dtype=np.int64)


def empty_places(trials: int, entries: int) -> np.ndarray:
    """int32[T, M]: tables of the second form without a place, for at most `entries` of them."""
    return np.full((trials, num_slots(entries)), -1, dtype=np.int32)


@njit(cache=True)
def slot(table: np.ndarray, key: int) -> np.int64:
    """Where `key` lies in a table of keys int64[M], or would lie: the slot holds `EMPTY` if it is missing."""
    mask = len(table) - 1
    at = mix(key) & mask
    while table[at] != EMPTY and table[at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def place_slot(table: np.ndarray, keys: np.ndarray, key: int) -> np.int64:
    """Where the place of `key` in keys int64[K] lies in a table of places int32[M], or would lie: the slot
    holds -1 if it is missing."""
    mask = len(table) - 1
    at = mix(key) & mask
    while table[at] >= 0 and keys[table[at]] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def fill_places(count: np.ndarray, keys: np.ndarray, tables: np.ndarray) -> None:
    """Enter the places of the first count[t] keys of each trial, keys int64[T, K], into empty tables of
    places int32[T, M]."""
    for t in range(len(count)):
        for place in range(count[t]):
            tables[t, place_slot(tables[t], keys[t], keys[t, place])] = place


@njit(cache=True)
def move(keys: np.ndarray, values: np.ndarray, new_keys: np.ndarray, new_values: np.ndarray) -> None:
    """Enter all keys of the tables [T, M], and what lies beside them in `values`, into larger empty ones."""
    for t in range(len(keys)):
        for i in range(keys.shape[1]):
            if keys[t, i] != EMPTY:
                at = slot(new_keys[t], keys[t, i])
                new_keys[t, at] = keys[t, i]
                new_values[t, at] = values[t, i]
