"""Feature vectors by their entries other than zero: path and one-hot encodings are mostly zeros.

Notation: F features, of which at most K differ from zero. `...` are leading axes, such as trials and the
architectures of each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Sparse(NamedTuple):
    """Vectors [..., F]; kernels take it as it is."""

    feature: np.ndarray  # int32[..., K], which features
    value: np.ndarray  # float32[..., K]
    entries: np.ndarray  # int64[...], how many of the K are used

    @classmethod
    def empty(cls, shape: tuple[int, ...], most: int) -> Sparse:
        """All-zero vectors, with room for `most` entries each."""
        return cls(
            np.zeros((*shape, most), np.int32),
            np.zeros((*shape, most), np.float32),
            np.zeros(shape, np.int64),
        )

    @classmethod
    def of(cls, dense: np.ndarray) -> Sparse:
        """From float32[..., F]."""
        flat = np.ascontiguousarray(dense, dtype=np.float32).reshape(-1, dense.shape[-1])
        entries = np.count_nonzero(flat, axis=1)
        out = cls.empty((len(flat),), max(1, int(entries.max(initial=0))))
        _compress(flat, out)
        return cls(*(column.reshape(*dense.shape[:-1], *column.shape[1:]) for column in out))

    def widened(self, most: int) -> Sparse:
        """The same vectors with room for at least `most` entries each."""
        more = most - self.feature.shape[-1]
        if more <= 0:
            return self
        pad = [(0, 0)] * (self.feature.ndim - 1) + [(0, more)]
        return Sparse(np.pad(self.feature, pad), np.pad(self.value, pad), self.entries)

    def doubled(self) -> Sparse:
        """The same vectors [T, n, F] and n zero ones behind them, for every T."""
        return Sparse(*(np.concatenate([column, np.zeros_like(column)], axis=1) for column in self))

    def written(self, trials: np.ndarray, places: np.ndarray, new: Sparse) -> Sparse:
        """These vectors [T, n, F] with `new` [R] at [trials[r], places[r]], written in place where they are
        wide enough."""
        width = new.feature.shape[-1]
        out = self.widened(width)
        out.feature[trials, places, :width] = new.feature
        out.value[trials, places, :width] = new.value
        out.entries[trials, places] = new.entries
        return out


@njit(cache=True)
def _compress(dense: np.ndarray, out: Sparse) -> None:
    for s in range(len(dense)):
        for f in range(dense.shape[1]):
            if dense[s, f] != 0:
                out.feature[s, out.entries[s]] = f
                out.value[s, out.entries[s]] = dense[s, f]
                out.entries[s] += 1
