"""hyperopt's Parzen estimators for categorical variables, kept up to date for T histories at once.

Notation: T trials, N variables, C the largest number of choices, n observations of a trial so far (in order
of time), LF = 25.

A history is split by loss into *good* ones, the ceil(gamma sqrt(n)) lowest but at most LF (earlier ones first
among equals), and *bad* ones, the rest. A variable's estimator over a set of m observations in order of time
has the probabilities

    p(c) = (prior_weight + sum_{r: x_r = c} w_r) / (C_v prior_weight + sum_r w_r),

with C_v the variable's number of choices (a uniform prior) and linear forgetting: w_r = 1 for the newest LF,
and the M = m - LF older ones rise linearly from 1/m to 1. (Bergstra et al. 2011, section 4; the rules of the
split and of forgetting are those of hyperopt's `tpe.suggest`.)

The newest observation usually just joins the bad ones, which shifts one older observation from the flat part
of the weights onto the ramp. So integer counts are kept of the flat part, of the ramp, and of the ramp
weighted by rank, and w-sums follow from them; only when an observation enters or leaves the middle of the bad
set are they counted anew.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

FLAT, RAMP, RANK = 0, 1, 2  # the three integer counts behind the weighted counts of the bad set


class _Rules(NamedTuple):
    """The estimators' settings."""

    gamma: float
    flat: int  # LF
    prior_weight: float


class _Books(NamedTuple):
    """Observations of T trials, room for K each, and what is counted of them."""

    num: np.ndarray  # int64[T], n
    strings: np.ndarray  # unsigned integers [T, K, N]
    loss: np.ndarray  # float64[T, K]
    is_good: np.ndarray  # bool[T, K]
    good: np.ndarray  # int64[T, LF], places of the good ones in order of loss
    num_good: np.ndarray  # int64[T]
    first_flat: np.ndarray  # int64[T], place of the oldest bad observation of full weight
    good_counts: np.ndarray  # int64[T, N, C]
    bad_counts: np.ndarray  # int64[T, 3, N, C]


class Histories:
    """Observations of T trials, split and counted.

    Args:
        trials: T.
        sizes: int64[N], choices of each variable.
        capacity: observations to make place for at first; grows as needed.
        gamma: the good ones are the ceil(gamma sqrt(n)) best.
        flat: LF, how many of the newest observations have full weight; also the most that are called good.
        prior_weight: pseudocount of each choice.
    """

    def __init__(
        self, trials: int, sizes: np.ndarray, capacity: int, gamma: float, flat: int, prior_weight: float
    ) -> None:
        n, most = len(sizes), int(sizes.max())
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self._rules = _Rules(float(gamma), int(flat), float(prior_weight))
        self._books = _Books(
            num=np.zeros(trials, dtype=np.int64),
            strings=np.zeros((trials, capacity, n), dtype=np.min_scalar_type(most - 1)),
            loss=np.zeros((trials, capacity)),
            is_good=np.zeros((trials, capacity), dtype=np.bool_),
            good=np.zeros((trials, flat), dtype=np.int64),
            num_good=np.zeros(trials, dtype=np.int64),
            first_flat=np.zeros(trials, dtype=np.int64),
            good_counts=np.zeros((trials, n, most), dtype=np.int64),
            bad_counts=np.zeros((trials, 3, n, most), dtype=np.int64),
        )

    @property
    def count(self) -> np.ndarray:
        """int64[T], observations of each trial."""
        return self._books.num

    @property
    def num_good(self) -> np.ndarray:
        """int64[T], how many of them are good."""
        return self._books.num_good

    def observe(self, rows: np.ndarray, strings: np.ndarray, loss: np.ndarray) -> None:
        """Append one observation to each of the histories `rows` (int[R]): strings int64[R, N], loss
        float64[R] (inf: failed)."""
        books = self._books
        if len(rows) and books.num[rows].max() == books.loss.shape[1]:
            self._books = books._replace(
                strings=_doubled(books.strings), loss=_doubled(books.loss), is_good=_doubled(books.is_good)
            )
        _observe(rows, strings, loss, self._rules, self._books)

    def densities(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The estimators over the good and over the bad observations: two float64[R, N, C] (0 past a
        variable's choices)."""
        good = np.zeros((len(rows), *self._books.good_counts.shape[1:]))
        bad = np.zeros_like(good)
        _densities(rows, self.sizes, self._rules, self._books, good, bad)
        return good, bad

    def suggest(self, rows: np.ndarray, generators: Any, candidates: int) -> np.ndarray:
        """Draw one suggestion from each of the histories `rows`: int64[R, N].

        For every variable apart, hyperopt draws K = `candidates` choices from the good estimator and keeps
        the first of those with the highest score log p_good - log p_bad. The winner's score is at most s with
        probability F(s)^K, F being the distribution of a single choice's score, and among choices of equal
        score the first drawn is c with probability proportional to p_good(c): one uniform a variable gives
        the same distribution as K draws.
        """
        out = np.empty((len(rows), len(self.sizes)), dtype=np.int64)
        good, bad = self.densities(rows)
        _suggest(rows, generators, self.sizes, candidates, good, bad, out)
        return out


def _doubled(column: np.ndarray) -> np.ndarray:
    """[T, 2 K, ...] for [T, K, ...], with zeros behind."""
    return np.concatenate([column, np.zeros_like(column)], axis=1)


@njit(cache=True)
def _recount(t: int, flat: int, books: _Books) -> None:
    """Count the bad set of trial t from scratch."""
    strings, bad_counts, first_flat = books.strings, books.bad_counts, books.first_flat
    count = books.num[t]
    bad_counts[t] = 0
    on_ramp = count - books.num_good[t] - flat
    rank = 0
    first_flat[t] = count
    for i in range(count):
        if books.is_good[t, i]:
            continue
        if rank < on_ramp:
            for j in range(strings.shape[2]):
                bad_counts[t, RAMP, j, strings[t, i, j]] += 1
                bad_counts[t, RANK, j, strings[t, i, j]] += rank
        else:
            if first_flat[t] == count:
                first_flat[t] = i
            for j in range(strings.shape[2]):
                bad_counts[t, FLAT, j, strings[t, i, j]] += 1
        rank += 1


@njit(cache=True)
def _append(t: int, flat: int, books: _Books) -> None:
    """Count the newest observation of trial t as bad."""
    strings, bad_counts, first_flat = books.strings, books.bad_counts, books.first_flat
    i = books.num[t] - 1
    num_bad = books.num[t] - books.num_good[t]
    n = strings.shape[2]
    for j in range(n):
        bad_counts[t, FLAT, j, strings[t, i, j]] += 1
    if num_bad == 1:
        first_flat[t] = i
    if num_bad > flat:
        moved = first_flat[t]
        rank = num_bad - flat - 1
        for j in range(n):
            c = strings[t, moved, j]
            bad_counts[t, FLAT, j, c] -= 1
            bad_counts[t, RAMP, j, c] += 1
            bad_counts[t, RANK, j, c] += rank
        moved += 1
        while books.is_good[t, moved]:
            moved += 1
        first_flat[t] = moved


@njit(cache=True)
def _best_bad(t: int, books: _Books) -> int:
    """Place of the bad observation with the lowest loss, the earliest among equals; -1 if none is bad."""
    best = -1
    for k in range(books.num[t]):
        if not books.is_good[t, k] and (best < 0 or books.loss[t, k] < books.loss[t, best]):
            best = k
    return best


@njit(cache=True)
def _enter_good(t: int, entering: int, held: int, books: _Books) -> None:
    """Make an observation the good one more than the `held` that there are, in order of loss."""
    good, loss = books.good, books.loss
    books.is_good[t, entering] = True
    for j in range(books.strings.shape[2]):
        books.good_counts[t, j, books.strings[t, entering, j]] += 1
    place = held
    while place > 0 and loss[t, good[t, place - 1]] > loss[t, entering]:
        good[t, place] = good[t, place - 1]
        place -= 1
    good[t, place] = entering


@njit(cache=True)
def _observe(
    rows: np.ndarray, new_strings: np.ndarray, new_loss: np.ndarray, rules: _Rules, books: _Books
) -> None:
    counts, strings, loss, is_good = books.num, books.strings, books.loss, books.is_good
    good, num_good = books.good, books.num_good
    n = strings.shape[2]
    for r in range(len(rows)):
        t = rows[r]
        i = counts[t]
        counts[t] += 1
        strings[t, i] = new_strings[r]
        loss[t, i] = new_loss[r]
        is_good[t, i] = False
        target = min(np.int64(np.ceil(rules.gamma * np.sqrt(counts[t]))), rules.flat, counts[t])
        held = num_good[t]
        disturbed = False  # whether the bad set changed elsewhere than at its end
        if held > 0 and new_loss[r] < loss[t, good[t, held - 1]]:
            if held == target:
                worst = good[t, held - 1]
                is_good[t, worst] = False
                for j in range(n):
                    books.good_counts[t, j, strings[t, worst, j]] -= 1
                held -= 1
                disturbed = True
            entering = i
        elif held < target:  # the split has room for one more
            entering = _best_bad(t, books)
            disturbed = entering != i
        else:
            entering = -1
        while entering >= 0:
            _enter_good(t, entering, held, books)
            held += 1
            entering = -1
            if held < target:
                disturbed = True
                entering = _best_bad(t, books)
        num_good[t] = held
        if disturbed:
            _recount(t, rules.flat, books)
        elif not is_good[t, i]:
            _append(t, rules.flat, books)


@njit(cache=True)
def _densities(
    rows: np.ndarray, sizes: np.ndarray, rules: _Rules, books: _Books, good: np.ndarray, bad: np.ndarray
) -> None:
    good_counts, bad_counts, prior_weight = books.good_counts, books.bad_counts, rules.prior_weight
    for r in range(len(rows)):
        t = rows[r]
        m = books.num[t] - books.num_good[t]
        on_ramp = m - rules.flat
        start = 1.0 / m if m > 0 else 0.0
        step = (1.0 - start) / (on_ramp - 1) if on_ramp > 1 else 0.0
        for j in range(len(sizes)):
            good_sum = bad_sum = 0.0
            for c in range(sizes[j]):
                good[r, j, c] = good_counts[t, j, c] + prior_weight
                bad[r, j, c] = (
                    bad_counts[t, FLAT, j, c]
                    + start * bad_counts[t, RAMP, j, c]
                    + step * bad_counts[t, RANK, j, c]
                    + prior_weight
                )
                good_sum += good[r, j, c]
                bad_sum += bad[r, j, c]
            for c in range(sizes[j]):
                good[r, j, c] /= good_sum
                bad[r, j, c] /= bad_sum


@njit(cache=True)
def _suggest(
    rows: np.ndarray,
    generators: Any,
    sizes: np.ndarray,
    candidates: int,
    good: np.ndarray,
    bad: np.ndarray,
    out: np.ndarray,
) -> None:
    most = good.shape[2]
    order = np.empty(most, dtype=np.int64)
    score = np.empty(most)
    for r in range(len(rows)):
        generator = generators[rows[r]]
        for j in range(len(sizes)):
            size = sizes[j]
            for c in range(size):
                score[c] = np.log(good[r, j, c]) - np.log(bad[r, j, c])
                place = c
                while place > 0 and score[order[place - 1]] > score[c]:
                    order[place] = order[place - 1]
                    place -= 1
                order[place] = c
            u = generator.random()
            first = 0  # order[first:last] is a group of choices of equal score
            below, lower = 0.0, 0.0
            while True:
                last = first + 1
                mass = good[r, j, order[first]]
                while last < size and score[order[last]] == score[order[first]]:
                    mass += good[r, j, order[last]]
                    last += 1
                upper = 1.0 if last == size else (below + mass) ** candidates
                if u < upper or last == size:
                    break
                below, lower, first = below + mass, upper, last
            chosen = order[first]
            if last > first + 1:
                left = (u - lower) / (upper - lower) * mass
                k = first
                while k < last - 1 and left >= good[r, j, order[k]]:
                    left -= good[r, j, order[k]]
                    k += 1
                chosen = order[k]
            out[r, j] = chosen
