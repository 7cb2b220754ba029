"""Kernel density estimates over categorical variables with the Aitchison-Aitken kernel, for T trials, as BOHB
uses them.

Notation: N variables with C_j choices each, n observations X[i, j] of a trial at a fidelity, S candidates x.
The density is

    f(x) = 1/n sum_i prod_j K_j(x_j, X_ij),    K_j(x, X) = 1 - h_j if x = X, else h_j / (c_j - 1),

c_j being the number of *different values of variable j among the observations* (not C_j), as statsmodels'
`KDEMultivariate` with var_type "u"
has it: a value that no observation has may get any density, even infinite where all observations agree (c_j =
1). The bandwidths are the normal reference rule's, 1.06 std_j n^(-1 / (4 + N)), and at least `min_bandwidth`.

Two densities make a model (Falkner et al. 2018, section 3.2): of the good observations, the n_good lowest
losses, and of the bad ones, the n_bad next. With p = `min_points`, n_good = max(p, floor(top n / 100)), n_bad
= max(p, floor((100 - top) n / 100)); either needs more than N.

Variables are packed into B blocks, an observation into B block codes; observations lie in order of loss, so
that the good ones are a prefix. For S candidates the kernel's product over a block is tabulated over the
block's codes, which leaves B products an observation and candidate. Counts of every choice in both prefixes
are kept up to date as observations come, and give bandwidths and c_j.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

# most codes of a block of several variables: of the powers of two the fastest from 60 to 1,600 observations
BLOCK_CODES = 32
FLOOR = 1e-32  # densities below are raised to it before their ratio is taken (hpbandster)


class Blocks(NamedTuple):
    """Which variables share a code: block b holds the variables first[b] .. first[b + 1] - 1, and its code is
    the sum of their values times their weights."""

    first: np.ndarray  # int64[B + 1]
    weight: np.ndarray  # int64[N]
    sizes: np.ndarray  # int64[N], choices
    digit: np.ndarray  # int64[N, codes], a variable's value in a code of its block; codes: of the largest


class _Rules(NamedTuple):
    """The models' settings."""

    min_points: int  # p
    top_percent: int
    min_bandwidth: float


class _Books(NamedTuple):
    """Observations of T trials at F fidelities, room for K each, in order of loss."""

    num: np.ndarray  # int64[T, F], n
    codes: np.ndarray  # unsigned integers [T, F, K, B]
    loss: np.ndarray  # float64[T, F, K]
    ends: np.ndarray  # int64[T, F, 2], lengths of the prefixes 'good' and 'good and bad'
    prefix: np.ndarray  # int64[T, F, 2, N, C], counts of choices in each of them
    level: np.ndarray  # int64[T], fidelity index of the trial's model, -1: none yet


def make_blocks(sizes: np.ndarray) -> Blocks:
    """Pack neighbouring variables while their codes stay within `BLOCK_CODES`."""
    first, weight, codes, most = [0], [], 1, 1
    for j, size in enumerate(int(size) for size in sizes):
        if codes > 1 and codes * size > BLOCK_CODES:
            first.append(j)
            codes = 1
        weight.append(codes)
        codes *= size
        most = max(most, codes)
    weights = np.array(weight, dtype=np.int64)
    sizes = np.asarray(sizes, dtype=np.int64)
    return Blocks(
        np.array([*first, len(sizes)]), weights, sizes, np.arange(most) // weights[:, None] % sizes[:, None]
    )


class Models:
    """Observations of T trials at F fidelities, and the model of each trial: that of the highest fidelity
    that has enough of them.

    Args:
        trials: T.
        sizes: int64[N], choices of each variable.
        num_fidelities: F.
        min_points: p; at least N + 1.
        top_percent: whole percentage of observations called good.
        min_bandwidth: floor of the bandwidths.
    """

    def __init__(
        self,
        trials: int,
        sizes: np.ndarray,
        num_fidelities: int,
        min_points: int,
        top_percent: int,
        min_bandwidth: float,
    ) -> None:
        self.blocks = make_blocks(sizes)
        self._rules = _Rules(int(min_points), int(top_percent), float(min_bandwidth))
        blocks, n = len(self.blocks.first) - 1, len(sizes)
        shape = (trials, num_fidelities)
        self._books = _Books(
            num=np.zeros(shape, dtype=np.int64),
            codes=np.zeros((*shape, 64, blocks), dtype=np.min_scalar_type(self.blocks.digit.shape[1] - 1)),
            loss=np.zeros((*shape, 64)),
            ends=np.zeros((*shape, 2), dtype=np.int64),
            prefix=np.zeros((*shape, 2, n, int(np.max(sizes))), dtype=np.int64),
            level=np.full(trials, -1, dtype=np.int64),
        )

    @property
    def level(self) -> np.ndarray:
        """int64[T], fidelity index of each trial's model; -1 where there is none yet."""
        return self._books.level

    @property
    def count(self) -> np.ndarray:
        """int64[T, F], observations."""
        return self._books.num

    def observe(self, rows: np.ndarray, level: np.ndarray, strings: np.ndarray, loss: np.ndarray) -> None:
        """Enter one observation each for trials `rows` int[R]: fidelity indices `level` int64[R], strings
        int64[R, N], loss float64[R] (inf: failed). Observations below the fidelity of a trial's model are
        dropped, as in hpbandster."""
        books = self._books
        if len(rows) and books.num[rows, level].max() == books.loss.shape[2]:
            self._books = books._replace(
                codes=np.concatenate([books.codes, np.zeros_like(books.codes)], axis=2),
                loss=np.concatenate([books.loss, np.zeros_like(books.loss)], axis=2),
            )
        _observe(rows, level, strings, loss, self.blocks, self._rules, self._books)

    def data(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """The good and the bad observations of trial t's model, int64[n, N] each, in order of loss."""
        level = self.level[t]
        good, both = self._books.ends[t, level]
        codes = self._books.codes[t, level, :both].astype(np.int64)
        block = np.searchsorted(self.blocks.first, np.arange(len(self.blocks.sizes)), side="right") - 1
        strings = self.blocks.digit[np.arange(len(block)), codes[:, block]]
        return strings[:good], strings[good:]

    def bandwidths(self, t: int) -> np.ndarray:
        """float64[2, N]: bandwidths of the good and of the bad density of trial t's model."""
        return self._fit(t)[0]

    def densities(self, t: int, strings: np.ndarray) -> np.ndarray:
        """float64[2, S]: the good and the bad density of trial t's model at strings int64[S, N]."""
        bandwidth, other = self._fit(t)
        strings = np.ascontiguousarray(np.transpose(strings), dtype=np.int64)
        out = np.empty((2, strings.shape[1]))
        level = self.level[t]
        tables = np.empty((len(self.blocks.first) - 1, self.blocks.digit.shape[1], strings.shape[1]))
        for which in range(2):
            start = 0 if which == 0 else self._books.ends[t, level, 0]
            codes = self._books.codes[t, level, start : self._books.ends[t, level, which]]
            _density(codes, bandwidth[which], other[which], strings, self.blocks, tables, out[which])
        return out

    def _fit(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        bandwidth, other = np.empty((2, 2, len(self.blocks.sizes)))
        _bandwidths(
            self._books.ends[t, self.level[t]],
            self._books.prefix[t, self.level[t]],
            self.blocks.sizes,
            self._rules.min_bandwidth,
            bandwidth,
            other,
        )
        return bandwidth, other

    def suggest(self, rows: np.ndarray, generators: Any, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw one suggestion from the models of trials `rows` int[R].

        S = `samples` candidates are drawn about good observations (each value kept with probability 1 - h_j,
        else replaced by a uniform one), and the one with the smallest ratio max(g, 1e-32) / max(l, 1e-32) of
        the bad to the good density is taken. As in hpbandster, the first candidate whose ratio is not finite
        while its good density is, ends the search and is taken.

        Returns:
            strings int64[R, N] and bool[R], False where no candidate had a usable ratio.
        """
        return _suggest(rows, generators, samples, self.blocks, self._rules.min_bandwidth, self._books)


@njit(cache=True)
def _count(codes: np.ndarray, blocks: Blocks, prefix: np.ndarray, change: int) -> None:
    """Add `change` to the counts [N, C] of one observation's values."""
    first = blocks.first
    for b in range(len(first) - 1):
        code = np.int64(codes[b])
        for j in range(first[b], first[b + 1]):
            prefix[j, blocks.digit[j, code]] += change


@njit(cache=True)
def _insert(t: int, level: int, string: np.ndarray, new_loss: float, blocks: Blocks, books: _Books) -> Any:
    """Enter an observation in order of loss, after its equals; return its place."""
    first, codes, loss = blocks.first, books.codes, books.loss
    place = books.num[t, level]
    while place > 0 and loss[t, level, place - 1] > new_loss:
        loss[t, level, place] = loss[t, level, place - 1]
        for b in range(codes.shape[3]):
            codes[t, level, place, b] = codes[t, level, place - 1, b]
        place -= 1
    loss[t, level, place] = new_loss
    for b in range(codes.shape[3]):
        code = 0
        for j in range(first[b], first[b + 1]):
            code += blocks.weight[j] * string[j]
        codes[t, level, place, b] = code
    books.num[t, level] += 1
    return place


@njit(cache=True)
def _observe(
    rows: np.ndarray,
    levels: np.ndarray,
    strings: np.ndarray,
    new_loss: np.ndarray,
    blocks: Blocks,
    rules: _Rules,
    books: _Books,
) -> None:
    n, min_points, top_percent = len(blocks.sizes), rules.min_points, rules.top_percent
    target = np.empty(2, dtype=np.int64)
    for r in range(len(rows)):
        t, level = rows[r], levels[r]
        if level < books.level[t]:
            continue
        place = _insert(t, level, strings[r], new_loss[r], blocks, books)
        codes, prefix, ends = books.codes[t, level], books.prefix[t, level], books.ends[t, level]
        total = books.num[t, level]
        target[0] = min(max(min_points, top_percent * total // 100), total)
        target[1] = min(target[0] + max(min_points, (100 - top_percent) * total // 100), total)
        for which in range(2):
            end = ends[which]
            if place < end:
                _count(codes[place], blocks, prefix[which], 1)
                end += 1
            while end > target[which]:
                end -= 1
                _count(codes[end], blocks, prefix[which], -1)
            while end < target[which]:
                _count(codes[end], blocks, prefix[which], 1)
                end += 1
            ends[which] = end
        if target[0] > n and target[1] - target[0] > n:
            books.level[t] = level


@njit(cache=True)
def _bandwidths(
    ends: np.ndarray,
    prefix: np.ndarray,
    sizes: np.ndarray,
    min_bandwidth: float,
    bandwidth: np.ndarray,
    other: np.ndarray,
) -> None:
    """Fill `bandwidth` and `other` [2, N]: h_j, and h_j / (c_j - 1), the kernel of a value that differs."""
    n = len(sizes)
    for which in range(2):
        total = ends[0] if which == 0 else ends[1] - ends[0]
        shrink = np.float64(total) ** (-1.0 / (4 + n))
        for j in range(n):
            mean, seen = 0.0, 0
            for c in range(sizes[j]):
                held = prefix[which, j, c] - (prefix[0, j, c] if which == 1 else 0)
                mean += c * held / total
                seen += held > 0
            variance = 0.0
            for c in range(sizes[j]):
                held = prefix[which, j, c] - (prefix[0, j, c] if which == 1 else 0)
                variance += (c - mean) ** 2 * held / total
            bandwidth[which, j] = max(1.06 * np.sqrt(variance) * shrink, min_bandwidth)
            other[which, j] = bandwidth[which, j] / (seen - 1) if seen > 1 else np.inf


@njit(cache=True)
def _density(
    codes: np.ndarray,
    bandwidth: np.ndarray,
    other: np.ndarray,
    strings: np.ndarray,
    blocks: Blocks,
    tables: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill out[S] with the density over observations `codes` [n, B] at strings [N, S]; `tables` [B, codes, S]
    is work space."""
    first, sizes, samples = blocks.first, blocks.sizes, strings.shape[1]
    num_blocks = len(first) - 1
    product = np.empty(samples)
    for b in range(num_blocks):
        for s in range(samples):
            tables[b, 0, s] = 1.0
        for j in range(first[b], first[b + 1]):
            keep = 1.0 - bandwidth[j]
            width = blocks.weight[j]
            for value in range(sizes[j] - 1, -1, -1):
                for s in range(samples):
                    product[s] = keep if strings[j, s] == value else other[j]
                for code in range(width):
                    for s in range(samples):
                        tables[b, code + value * width, s] = tables[b, code, s] * product[s]
    for s in range(samples):
        out[s] = 0.0
    for i in range(codes.shape[0]):
        table = tables[0, codes[i, 0]]
        for s in range(samples):
            product[s] = table[s]
        for b in range(1, num_blocks):
            table = tables[b, codes[i, b]]
            for s in range(samples):
                product[s] *= table[s]
        for s in range(samples):
            out[s] += product[s]
    for s in range(samples):
        out[s] /= codes.shape[0]


@njit(cache=True)
def _candidates(
    generator: Any,
    codes: np.ndarray,
    bandwidth: np.ndarray,
    blocks: Blocks,
    strings: np.ndarray,
) -> None:
    """Fill strings [N, S] with draws about the good observations `codes` [n, B]."""
    good, first, sizes = len(codes), blocks.first, blocks.sizes
    for s in range(strings.shape[1]):
        i = min(int(generator.random() * good), good - 1)
        for b in range(len(first) - 1):
            code = np.int64(codes[i, b])
            for j in range(first[b], first[b + 1]):
                keep = max(1.0 - bandwidth[j], 0.0)
                u = generator.random()
                if u < keep:
                    strings[j, s] = blocks.digit[j, code]
                else:  # what is left of the uniform is uniform again
                    strings[j, s] = min(np.int64((u - keep) / (1.0 - keep) * sizes[j]), sizes[j] - 1)


@njit(cache=True)
def _best(density: np.ndarray) -> int:
    """The candidate with the smallest ratio of the bad to the good density [2, S]; -1 if none is usable."""
    best, best_ratio = -1, np.inf
    for s in range(density.shape[1]):
        # Written so that a NaN falls where Python's max(1e-32, g) / max(l, 1e-32) lets it fall.
        above = density[1, s] if density[1, s] > FLOOR else FLOOR
        below = FLOOR if density[0, s] < FLOOR else density[0, s]
        ratio = above / below
        if not np.isfinite(ratio) and np.isfinite(density[0, s]):
            return s
        if ratio < best_ratio:
            best, best_ratio = s, ratio
    return best


@njit(cache=True)
def _suggest(
    rows: np.ndarray, generators: Any, samples: int, blocks: Blocks, min_bandwidth: float, books: _Books
) -> tuple[np.ndarray, np.ndarray]:
    sizes = blocks.sizes
    n = len(sizes)
    out, found = np.zeros((len(rows), n), dtype=np.int64), np.zeros(len(rows), dtype=np.bool_)
    bandwidth, other = np.empty((2, n)), np.empty((2, n))
    strings = np.empty((n, samples), dtype=np.int64)
    tables = np.empty((len(blocks.first) - 1, blocks.digit.shape[1], samples))
    density = np.empty((2, samples))
    for r in range(len(rows)):
        t = rows[r]
        level = books.level[t]
        codes, ends = books.codes[t, level], books.ends[t, level]
        _bandwidths(ends, books.prefix[t, level], sizes, min_bandwidth, bandwidth, other)
        good, bad = codes[: ends[0]], codes[ends[0] : ends[1]]
        _candidates(generators[t], good, bandwidth[0], blocks, strings)
        _density(good, bandwidth[0], other[0], strings, blocks, tables, density[0])
        _density(bad, bandwidth[1], other[1], strings, blocks, tables, density[1])
        best = _best(density)
        if best >= 0:
            found[r] = True
            for j in range(n):
                out[r, j] = strings[j, best]
    return out, found
